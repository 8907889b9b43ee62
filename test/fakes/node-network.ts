import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Log, SILENT } from '../../ground/log.ts';
import { RecordStore } from '../../ground/records.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { OwnedFd, openPath, O } from '../../native/fd.ts';
import { inNetns, makeNetns, removePin } from '../../native/namespaces.ts';
import { addrAdd, linkUp, routeAdd, Rtnl, veth } from '../../native/netlink.ts';
import type { FirewallSetting } from '../../network/firewall.ts';
import { linkNames } from '../../network/link-names.ts';
import { openNetwork } from '../../network/open-network.ts';
import type { AttachRequest, HostPort, PodNetwork } from '../../network/pod-network.ts';

/** A host port for TCP. */
export function tcp(hostPort: number, containerPort: number, hostIp = ''): HostPort {
  return { protocol: 'tcp', hostPort, containerPort, hostIp };
}

/** Deletes every link of the namespace but loopback. */
export function clearLinks(): void {
  for (const name of linkNames()) if (name !== 'lo') spawnSync('ip', ['link', 'del', name]);
}

/**
 * A node's network without the rest of the node, for tests that run in namespaces of their own: pods are bare network
 * namespaces. Everything it makes goes with `close`.
 */
export class NodeNetworkRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'berth-network-'));
  readonly confDir = join(this.directory, 'net.d');
  /** What `network` uses when its caller names none. */
  firewall: FirewallSetting = 'auto';
  records = new RecordStore(join(this.directory, 'records.db'));
  readonly exits: ExitWatcher;
  readonly #directories = [this.directory];
  readonly #pins = new Set<string>();
  readonly #servers: Server[] = [];
  readonly #networks: PodNetwork[] = [];

  private constructor(exits: ExitWatcher) {
    this.exits = exits;
    mkdirSync(this.confDir);
  }

  static async open(): Promise<NodeNetworkRig> {
    return new NodeNetworkRig(await ExitWatcher.start());
  }

  /** A network as the daemon opens it. */
  async network(
    podCidr: string,
    options: {
      log?: Log;
      binDirs?: string[];
      execPlugins?: string[];
      pollMs?: number;
      graceMs?: number;
      firewall?: FirewallSetting;
    } = {},
  ): Promise<PodNetwork> {
    const network = await openNetwork({
      records: this.records,
      exits: this.exits,
      log: options.log ?? SILENT,
      config: {
        confDir: this.confDir,
        binDirs: options.binDirs ?? ['/opt/cni/bin', '/usr/lib/cni'],
        execPlugins: options.execPlugins ?? [],
        podCidr,
        bridge: 'berth0',
        firewall: options.firewall ?? this.firewall,
      },
      pollMs: options.pollMs,
      graceMs: options.graceMs,
    });
    this.#networks.push(network);
    return network;
  }

  /** A new namespace and the request that asks to attach it. */
  pod(id: string, hostPorts: HostPort[] = []): AttachRequest {
    return {
      id,
      netnsPath: this.netns(id),
      podName: `name-${id}`,
      podNamespace: 'default',
      podUid: `uid-${id}`,
      hostPorts,
      annotations: {},
      cgroupParent: '',
    };
  }

  /** Goes on with what another rig's process, now dead, left in `directory`. */
  takeOver(directory: string): void {
    this.records.close();
    this.records = new RecordStore(join(directory, 'records.db'));
    for (const file of readdirSync(directory))
      if (file.startsWith('netns-')) this.#pins.add(join(directory, file));
    this.#directories.push(directory);
  }

  netns(name: string): string {
    const pin = join(this.directory, `netns-${name}`);
    makeNetns(pin);
    this.#pins.add(pin);
    return pin;
  }

  dropNetns(pin: string): void {
    removePin(pin);
    if (existsSync(pin)) unlinkSync(pin);
    this.#pins.delete(pin);
  }

  /** A namespace beside the node, joined to it by a link: its address is 192.0.2.2, the node's there 192.0.2.1. */
  outside(): string {
    const pin = this.netns('outside');
    using netns = new OwnedFd(openPath(pin, O.RDONLY));
    using rtnl = new Rtnl();
    rtnl.exec([veth({ host: 'outside', peer: 'node', peerNetns: netns.fd })]);
    const index = rtnl.linkByName('outside')!.index;
    rtnl.exec([addrAdd({ index, address: '192.0.2.1', prefix: 24 })]);
    inNetns(netns.fd, () => {
      using inside = new Rtnl();
      const { index } = inside.linkByName('node')!;
      inside.exec([
        linkUp(index),
        addrAdd({ index, address: '192.0.2.2', prefix: 24 }),
        routeAdd({ index, gateway: '192.0.2.1' }),
      ]);
    });
    return pin;
  }

  /** A TCP server in a namespace that answers `<name> <address of the client as it sees it>`. */
  serve(netns: string, port: number, name: string): void {
    const server = createServer((socket) =>
      socket.end(`${name} ${socket.remoteAddress?.replace('::ffff:', '')}`),
    );
    // Without a host the socket is made in this very call, in the namespace.
    inNetns(netns, () => server.listen(port));
    this.#servers.push(server);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const network of this.#networks) await network.close();
    for (const pin of this.#pins) this.dropNetns(pin);
    await this.exits.close();
    this.records.close();
    for (const directory of this.#directories) rmSync(directory, { recursive: true });
  }
}

/** Connects from a namespace (`undefined`: the node's) and resolves with the answer. Rejects when none comes in 3 s. */
export function dial(netns: string | undefined, host: string, port: number): Promise<string> {
  const script = `const s = require('node:net').connect(${port}, '${host}'); s.setTimeout(3000, () => { console.error('no answer'); process.exit(1); }); s.pipe(process.stdout);`;
  return runIn(netns, [process.execPath, '-e', script]);
}

/** Runs a command in a namespace and resolves with its output. */
export function runIn(netns: string | undefined, argv: string[]): Promise<string> {
  const [file, ...args] = netns === undefined ? argv : ['nsenter', `--net=${netns}`, ...argv];
  return new Promise((resolve, reject) => {
    execFile(file!, args, { timeout: 15_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${argv.join(' ')}: ${stderr}${stdout}`, { cause: error }));
    });
  });
}

/** Resolves when `condition` holds; rejects when it does not within `ms`. */
export async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not within ${ms} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
