import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage } from './image-builder.ts';
import { ImageLibrary } from './image-library.ts';
import { KubernetesNodesServer } from './kubernetes-nodes-server.ts';
import { TestNode } from './node.ts';
import { BUSYBOX } from './pods.ts';
import { ownDirectory } from './strays.ts';

/** Where the API server is in the cluster's network. */
const API_ADDRESS = '192.168.77.254';
const API_ADDRESS6 = 'fd99::fe';

/**
 * Some nodes on one network: a bridge in a namespace of its own, to which each node has a link `eth0`, with an API
 * server that knows Nodes. The nodes' forward chains drop and their reverse-path filters are strict, as on hardened
 * hosts.
 */
export class TestCluster implements AsyncDisposable {
  readonly api = new KubernetesNodesServer();
  readonly nodes = new Map<string, TestNode>();
  readonly directory: string;
  readonly #switch: ChildProcess;
  readonly #library: ImageLibrary;
  #plugs = 0;

  private constructor(directory: string, holder: ChildProcess, library: ImageLibrary) {
    this.directory = directory;
    this.#switch = holder;
    this.#library = library;
  }

  /** With `ipv6` the nodes have to reach the API server over IPv6. */
  static async open({ ipv6 = false }: { ipv6?: boolean } = {}): Promise<TestCluster> {
    const library = await ImageLibrary.open();
    await library.push('busybox:1', busyboxImage());
    const directory = mkdtempSync('/tmp/berth-cluster-');
    ownDirectory(directory);
    const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      // The mark by which a later run finds it, should this one be killed.
      env: { ...process.env, BERTH_TEST_NODE: `${directory}/` },
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    holder.stdout.destroy();
    const cluster = new TestCluster(directory, holder, library);
    await cluster.inSwitch(
      `ip link set lo up; ip link add br0 type bridge; ip addr add ${API_ADDRESS}/24 dev br0; ip addr add ${API_ADDRESS6}/64 dev br0 nodad; ip link set br0 up`,
    );
    await cluster.startApi();
    writeFileSync(cluster.kubeconfig, cluster.api.kubeconfig(ipv6 ? API_ADDRESS6 : API_ADDRESS));
    return cluster;
  }

  get kubeconfig(): string {
    return join(this.directory, 'kubeconfig');
  }

  async startApi(): Promise<void> {
    await this.api.start(`/proc/${this.#switch.pid}/ns/net`);
  }

  /** Makes a node with its link; the daemon is not started, and the API server does not know it. */
  async make(name: string, address: string, changes: Record<string, unknown> = {}): Promise<TestNode> {
    const network = {
      pod_cidr: '',
      overlay: 'vxlan',
      kubeconfig: this.kubeconfig,
      node_name: name,
      ...changes,
    };
    const node = await TestNode.make({ config: { network } });
    this.nodes.set(name, node);
    await this.plug(node, address);
    return node;
  }

  /** Gives a node its link, after it was made and after each reboot. */
  async plug(node: TestNode, address: string): Promise<void> {
    const port = `port${++this.#plugs}`;
    const isIpv6 = address.includes(':');
    const own = isIpv6 ? `${address}/64 dev eth0 nodad` : `${address}/24 dev eth0`;
    const way = isIpv6 ? `-6 route add default via ${API_ADDRESS6}` : `route add default via ${API_ADDRESS}`;
    await this.inSwitch(
      `ip link add ${port} type veth peer name eth0 netns ${node.holder}; ip link set ${port} master br0 up`,
    );
    await node.exec([
      'sh',
      '-ec',
      `ip addr add ${own}; ip link set eth0 up; iptables -P FORWARD DROP; ip6tables -P FORWARD DROP
       ip ${way}
       echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter`,
    ]);
  }

  /** Starts the node's registry and daemon; the image is there afterwards. */
  async start(node: TestNode): Promise<void> {
    await this.#library.serve(node);
    await node.start();
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
  }

  /** Runs a shell line in the namespace of the switch. */
  async inSwitch(line: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const argv = ['-t', String(this.#switch.pid), '-n', 'sh', '-ec', line];
      execFile('nsenter', argv, { timeout: 30_000 }, (error, _stdout, stderr) =>
        error === null ? resolve() : reject(new Error(`${line}: ${stderr}`, { cause: error })),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.stop();
    await this.#library.close();
    for (const node of this.nodes.values()) await node.destroy();
    const ended = new Promise((resolve) => this.#switch.once('exit', resolve));
    this.#switch.kill('SIGKILL');
    await ended;
    rmSync(this.directory, { recursive: true });
  }
}
