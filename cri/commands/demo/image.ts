import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { tarArchive, type NewEntry } from '../../../image/tar/writer.ts';
import { BUSYBOX } from './needs.ts';

/** The demo image's name: no registry has it. */
export const DEMO_IMAGE = 'berth.local/demo:1';

/** What the demo's first pod serves over HTTP. */
export const PAGE = 'Hello from the first pod of this node.';

const APPLETS = ['cat', 'echo', 'hostname', 'httpd', 'nc', 'printf', 'ps', 'sh', 'sleep', 'true'];

/**
 * Writes a docker archive (a tar with manifest.json, image configuration and one layer) to `file`: this machine's
 * own static busybox, links for the applets that the demo runs, and a page to serve.
 */
export function writeDemoImage(file: string): void {
  const layer = tarArchive(rootFiles());
  const diffId = sha256(layer);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'berth demo' }],
    }),
  );
  const configName = `${sha256(config)}.json`;
  const layerName = `${diffId}/layer.tar`;
  const manifest = [{ Config: configName, RepoTags: [DEMO_IMAGE], Layers: [layerName] }];
  const archive = tarArchive([
    { path: `${diffId}/`, type: 'directory' },
    { path: layerName, content: layer },
    { path: configName, content: config },
    { path: 'manifest.json', content: JSON.stringify(manifest) },
  ]);
  writeFileSync(file, archive);
}

function rootFiles(): NewEntry[] {
  const directories = ['bin/', 'dev/', 'etc/', 'proc/', 'sys/', 'tmp/', 'www/'];
  return [
    ...directories.map((path): NewEntry => ({ path, type: 'directory' })),
    { path: 'bin/busybox', mode: 0o755, content: readFileSync(BUSYBOX) },
    ...APPLETS.map((name): NewEntry => ({ path: `bin/${name}`, type: 'symlink', link: 'busybox' })),
    { path: 'etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\n' },
    { path: 'www/index.html', content: `${PAGE}\n` },
  ];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
