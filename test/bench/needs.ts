import { spawnSync } from 'node:child_process';
import { missingNeeds } from '../needs.ts';

/** The peer, how to ask its version, and the Debian package that brings it. */
const PEERS = { containerd: 'containerd', runc: 'runc', crun: 'crun', conmon: 'conmon' };

/** One sentence for each thing that the benchmark needs and this machine lacks. */
export function missingTools(): string[] {
  const missing = Object.entries(PEERS).filter(([program]) => versionOf(program) === undefined);
  return [
    ...missingNeeds(),
    ...missing.map(([program, debianPackage]) => `${program} is missing: apt-get install ${debianPackage}`),
  ];
}

/** The versions of all that is measured. */
export function versionsOf(): Record<string, string> {
  const versions: Record<string, string> = { node: process.versions.node };
  for (const program of Object.keys(PEERS)) versions[program] = versionOf(program) ?? 'unknown';
  return versions;
}

function versionOf(program: string): string | undefined {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/\d+\.\d+\S*/.exec(stdout)?.[0] ?? 'unknown') : undefined;
}
