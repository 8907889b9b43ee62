import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemdHost } from './systemd-host.ts';

/** This repository. */
export const REPOSITORY = join(import.meta.dirname, '..');

/** Lays a release of this repository's program on a node. `serve` is done before its daemon starts. Returns its path. */
export function layRelease(host: SystemdHost, name: string, serve = ''): string {
  const directory = host.at(`/srv/${name}`);
  mkdirSync(join(directory, 'bin'), { recursive: true });
  mkdirSync(join(directory, 'lib/systemd/system'), { recursive: true });
  mkdirSync(join(directory, 'lib/berth'));
  writeFileSync(
    join(directory, 'bin/berth'),
    `#!/bin/sh\n# ${name}\n[ "$1" != serve ] || { :; ${serve}\n}\nexec ${REPOSITORY}/bin/berth "$@"\n`,
    { mode: 0o755 },
  );
  for (const [from, to] of [
    ['package.json', 'lib/berth/package.json'],
    ['deploy/systemd/berth.service', 'lib/systemd/system/berth.service'],
  ] as const)
    writeFileSync(join(directory, to), readFileSync(join(REPOSITORY, from)));
  return `/srv/${name}`;
}
