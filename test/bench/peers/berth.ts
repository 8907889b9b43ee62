import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { Enclosure } from '../enclosure.ts';
import { serveStore } from '../registry-store.ts';
import type { Node } from './peer.ts';

const METRICS = '127.0.0.1:9464';
const BERTH = join(import.meta.dirname, '../../../bin/berth');

/**
 * Starts Berth in namespaces of its own: the default configuration with its own directories, the built-in network,
 * images from the registry whose store is `store`. `program` is `berth` of the sources, or of a release.
 */
export async function startBerth(
  directory: string,
  cgroup: string,
  store: string,
  program = BERTH,
): Promise<Node> {
  const enclosure = await Enclosure.open(directory, cgroup);
  try {
    const registry = serveStore(enclosure, store);
    const logs = join(directory, 'logs');
    for (const path of [logs, join(directory, 'net.d'), join(directory, 'certs.d')]) mkdirSync(path);
    const socket = join(directory, 'state/berth.sock');
    const config = {
      root: join(directory, 'root'),
      state: join(directory, 'state'),
      cri: { listen: `unix://${socket}`, stream_listen: '127.0.0.1:0' },
      metrics: { listen: METRICS },
      runtime: { default_handler: 'crun', cgroup_driver: 'cgroupfs', cgroup_parent: `${cgroup}/own` },
      image: { registry_config_dir: join(directory, 'certs.d') },
      network: { conf_dir: join(directory, 'net.d'), pod_cidr: '10.212.0.0/16' },
    };
    writeFileSync(join(directory, 'berth.toml'), stringify(config));
    const argv = [program, 'serve', '--config', join(directory, 'berth.toml')];
    const spawnedAt = performance.now();
    const daemon = await enclosure.startListening('berth', argv, socket);
    return {
      socket,
      daemon: daemon.pid!,
      spawnedAt,
      cgroup,
      logs,
      helpers: () => enclosure.residents([registry]),
      metrics: () => enclosure.run([process.execPath, '-e', PRINT_METRICS]),
      run: (argv) => enclosure.run(argv),
      ociState: (handler) => join(directory, 'state/oci', handler),
      close: () => enclosure.close(),
    };
  } catch (error) {
    await enclosure.close();
    throw error;
  }
}

/** The metrics listen on the node's own loopback: a process in there has to fetch them. */
const PRINT_METRICS = `require('node:http').get('http://${METRICS}/metrics', (page) => page.pipe(process.stdout))`;
