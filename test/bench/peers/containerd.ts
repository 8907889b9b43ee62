import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Enclosure } from '../enclosure.ts';
import { PAUSE_IMAGE } from '../images.ts';
import { serveStore } from '../registry-store.ts';
import type { Node } from './peer.ts';

export interface ContainerdNetwork {
  /** Where its CNI plugins are. */
  binDir: string;
  /** The CNI list. */
  list: object;
}

/** The node, and a way to look around on it. */
export interface ContainerdNode extends Node {
  /** Runs a short command in the node's namespaces and resolves to its output. */
  run(argv: string[]): Promise<string>;
}

/**
 * Starts Debian's containerd in namespaces of its own: CRI plugin, overlayfs, handlers `runc` (default) and `crun`,
 * images from the registry whose store is `store`. Its network is, unless another is given, the usual chain of CNI
 * plugins by exec.
 */
export async function startContainerd(
  directory: string,
  cgroup: string,
  store: string,
  network: ContainerdNetwork = { binDir: '/usr/lib/cni', list: networkList(directory) },
): Promise<ContainerdNode> {
  const enclosure = await Enclosure.open(directory, cgroup);
  try {
    const registry = serveStore(enclosure, store);
    const cni = join(directory, 'cni');
    const logs = join(directory, 'logs');
    for (const path of [cni, logs]) mkdirSync(path, { recursive: true });
    writeFileSync(join(cni, '10-bench.conflist'), JSON.stringify(network.list));
    const socket = join(directory, 'containerd.sock');
    writeFileSync(join(directory, 'config.toml'), configOf(directory, socket, cni, network.binDir));
    const argv = ['containerd', '--config', join(directory, 'config.toml'), '--log-level', 'warn'];
    const spawnedAt = performance.now();
    const daemon = await enclosure.startListening('containerd', argv, socket);
    return {
      socket,
      daemon: daemon.pid!,
      spawnedAt,
      cgroup,
      logs,
      helpers: () => enclosure.residents([registry]),
      run: (argv) => enclosure.run(argv),
      close: () => enclosure.close(),
    };
  } catch (error) {
    await enclosure.close();
    throw error;
  }
}

/** The list that most nodes with the plain bridge have: bridge with host-local addresses and masquerade, portmap. */
function networkList(directory: string): object {
  const ranges = [[{ subnet: '10.211.0.0/16' }]];
  const ipam = {
    type: 'host-local',
    dataDir: join(directory, 'addresses'),
    ranges,
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return {
    cniVersion: '1.0.0',
    name: 'bench',
    plugins: [
      { type: 'bridge', bridge: 'bench0', isGateway: true, ipMasq: true, hairpinMode: true, ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

function configOf(directory: string, socket: string, cni: string, binDir: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
address = "${socket}"
[ttrpc]
address = "${socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "${directory}/opt"
[${cri}]
sandbox_image = "${PAUSE_IMAGE}"
stream_server_address = "127.0.0.1"
stream_server_port = "0"
disable_apparmor = true
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[${cri}.cni]
bin_dir = "${binDir}"
conf_dir = "${cni}"
[${cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.crun]
runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.crun.options]
BinaryName = "crun"
[${cri}.registry]
config_path = ""
[${cri}.registry.mirrors."127.0.0.1:5000"]
endpoint = ["http://127.0.0.1:5000"]
`;
}
