import { count, text, texts, word, type Key } from './key.ts';
import * as sound from './sound.ts';

/** Keys by name. */
export type Section = Record<string, Key<unknown>>;

/** The keys of one runtime handler: `[runtime.handlers.<name>]`. */
const HANDLER_SCHEMA = {
  path: text('', 'the OCI runtime: an absolute path, or a name that is looked up in PATH', {
    wrong: sound.program,
  }),
  sandbox: word(
    ['inprocess', 'oci'],
    'inprocess',
    'who makes the sandboxes of its pods, the daemon or the OCI runtime',
  ),
  exec: word(
    ['auto', 'inprocess', 'oci'],
    'auto',
    'who takes commands into its containers; auto: the daemon for crun and runc, else the OCI runtime',
  ),
};

/** The handlers that are there when the configuration says nothing. */
export const DEFAULT_HANDLERS: Record<string, HandlerConfig> = {
  crun: { path: 'crun', sandbox: 'inprocess', exec: 'auto' },
  runc: { path: 'runc', sandbox: 'inprocess', exec: 'auto' },
};

/** Every key that the configuration can have, by section; the empty section is the top of the file. */
const SCHEMA = {
  '': {
    root: text('/var/lib/berth', 'images, containers, records', { wrong: sound.absolutePath }),
    state: text('/run/berth', 'sockets, bundles, exit records, namespace pins', {
      wrong: sound.absolutePath,
    }),
  },
  cri: {
    listen: text('unix:///run/berth/berth.sock', 'where kubelet and crictl find the daemon', {
      wrong: sound.unixSocket,
    }),
    stream_listen: text(
      '127.0.0.1:0',
      'where exec, attach and port-forward streams are served; port 0: a free one',
      {
        wrong: sound.tcpAddress,
      },
    ),
    stream_tls_cert: text(
      '',
      'certificate chain of the streaming server, PEM, read again when it changes; empty: no TLS',
      { wrong: sound.absolutePathOrEmpty },
    ),
    stream_tls_key: text('', 'key of that certificate, PEM', { wrong: sound.absolutePathOrEmpty }),
    stream_idle_seconds: count(14_400, 1, 604_800, 'a stream without a byte for so long is ended', {
      live: true,
    }),
    max_streams: count(1000, 1, 100_000, 'exec, attach and port-forward sessions at once', { live: true }),
  },
  metrics: {
    listen: text('127.0.0.1:9464', 'serves http://…/metrics for Prometheus; empty: no metrics', {
      wrong: sound.tcpAddressOrEmpty,
      live: true,
    }),
    page: word(
      ['loopback', 'on', 'off'],
      'loopback',
      'whether http://…/ there shows the node to people; loopback: only while listen is an address of the loopback',
    ),
  },
  runtime: {
    default_handler: text(
      'auto',
      'for pods that name no handler; auto: crun, or the first other one that works on this node',
    ),
    cgroup_driver: word(
      ['auto', 'cgroupfs', 'systemd'],
      'auto',
      'who makes cgroups; auto: systemd where it is PID 1 on cgroup v2',
    ),
    cgroup_parent: text('', 'for pods that name no parent; empty: /berth, or berth.slice with systemd'),
    conmon: text('conmon', 'the monitor of containers', { wrong: sound.program }),
    seccomp_root: text('/var/lib/kubelet/seccomp', 'where Localhost seccomp profiles lie', {
      wrong: sound.absolutePath,
      live: true,
    }),
    cdi_dirs: texts(
      ['/etc/cdi', '/var/run/cdi'],
      'files of the Container Device Interface; a device in a later one wins',
      { wrong: sound.absolutePaths, live: true },
    ),
    default_ulimits: texts(
      [],
      "limits of the processes of every container, as nofile=1024:4096 (soft, hard); empty: the daemon's own",
      { wrong: sound.ulimits, live: true },
    ),
    checkpoint_images: word(
      ['off', 'on'],
      'off',
      'whether containers are restored from images that have a checkpoint in them (annotation org.criu.checkpoint.container.name), as a kubelet can ask for; whoever may name an image then decides what its processes may do on the node, whatever the pod says; archives that root names by their path are always restored',
    ),
    max_log_bytes: count(
      0,
      0,
      2 ** 50,
      "bytes of a container's log file above which its lines are dropped and it begins anew; looked at each second while the daemon runs; a guard against what fills the disk between two looks of the kubelet, so take several times its containerLogMaxSize; 0: no such bound",
    ),
    create_timeout_seconds: count(240, 1, 3600, 'how long a create may go on after its caller has left', {
      live: true,
    }),
    adoption_seconds: count(
      120,
      0,
      3600,
      'how long a finished create waits for the retry of a caller that had left',
      { live: true },
    ),
    max_children: count(16, 1, 1024, 'OCI runtime processes at once'),
  },
  image: {
    registry_config_dir: text(
      '/etc/containerd/certs.d',
      '<host>/hosts.toml in it: mirrors, CA, client certificates, plain http',
      { wrong: sound.absolutePath, live: true },
    ),
    auth_files: texts(
      ['/run/containers/0/auth.json', '/etc/containers/auth.json', '/root/.docker/config.json'],
      'credentials for pulls whose caller brings none, read at each pull; the first file with a fitting entry serves',
      { wrong: sound.absolutePaths, live: true },
    ),
    max_concurrent_downloads: count(6, 1, 64, 'layers at once', { live: true }),
    pinned: texts(
      [],
      'images that are never removed, by name; a * at the end means all names that begin so',
      { wrong: sound.imagePatterns, live: true },
    ),
    max_image_gib: count(100, 1, 100_000, 'an image that unpacks to more is refused', { live: true }),
    writable_layer_limit: count(
      0,
      0,
      2 ** 50,
      'bytes that a container made from now on may write into its root file system and the volumes of its image; needs ext4 or xfs with project quotas; 0: no limit',
    ),
    verifier_dir: text(
      '',
      'programs that are asked whether an image may be pulled, as containerd calls its image verifiers; all have to agree; empty: every image may',
      { wrong: sound.absolutePathOrEmpty },
    ),
    verifier_timeout_seconds: count(10, 1, 600, 'a verifier that takes longer refuses'),
  },
  network: {
    conf_dir: text('/etc/cni/net.d', 'CNI configuration lists; the first one serves', {
      wrong: sound.absolutePath,
      live: true,
    }),
    bin_dirs: texts(['/opt/cni/bin', '/usr/lib/cni'], 'CNI plugins', {
      wrong: sound.absolutePaths,
      live: true,
    }),
    exec_plugins: texts(
      [],
      'types of CNI plugins that are run as programs from bin_dirs although Berth has them built in',
      { live: true },
    ),
    pod_cidr: text(
      '',
      'when conf_dir holds no network and this (or the kubelet) gives a range, the built-in bridge network serves',
      { wrong: sound.podRanges },
    ),
    firewall: word(
      ['auto', 'iptables', 'iptables-legacy', 'nftables'],
      'auto',
      'who writes the packet filter: iptables where it is installed, in the variant that the node uses, else nf_tables of the kernel directly, which needs no program',
    ),
    bridge: text('berth0', 'the link of the built-in bridge network', { wrong: sound.linkName }),
    overlay: word(
      ['none', 'vxlan'],
      'none',
      "how the built-in networks of a cluster's nodes are joined; vxlan: each node takes its range and the way to the others from the Node objects of the Kubernetes API",
    ),
    kubeconfig: text('', 'for the overlay: a kubeconfig whose user may list and watch nodes', {
      wrong: sound.absolutePathOrEmpty,
    }),
    node_name: text('', "for the overlay: this node's name in the cluster; empty: its host name"),
    vxlan_id: count(1, 1, 0xffffff, 'network identifier of the VXLAN, the same on all nodes'),
    vxlan_port: count(8472, 1, 65_535, 'UDP port of the VXLAN, the same on all nodes'),
    vxlan_link: text('berth.vxlan', "the link of the VXLAN's end on this node", { wrong: sound.linkName }),
  },
  log: {
    level: word(['error', 'warn', 'info', 'debug'], 'info', 'what is logged', { live: true }),
    format: word(
      ['auto', 'json', 'text'],
      'auto',
      "for machines or for people; auto: the journal's own fields where standard output is the journal, else json",
    ),
  },
};

/** The schema for those who go through all of it. */
export const SECTIONS = SCHEMA as unknown as Record<string, Section>;
export const HANDLER_KEYS = HANDLER_SCHEMA as unknown as Section;

type Schema = typeof SCHEMA;
type Values<S> = { -readonly [K in keyof S]: S[K] extends Key<infer T> ? T : never };

/** One runtime handler. */
export type HandlerConfig = Values<typeof HANDLER_SCHEMA>;

/** The configuration with every key in it, named as in the file. */
export type Config = Values<Schema['']> & {
  [S in Exclude<keyof Schema, '' | 'runtime'>]: Values<Schema[S]>;
} & { runtime: Values<Schema['runtime']> & { handlers: Record<string, HandlerConfig> } };

/** The configuration that is in force when no file says anything. */
export function defaultConfig(): Config {
  const sections = Object.entries(SECTIONS).map(([name, section]) => {
    const values = Object.fromEntries(
      Object.entries(section).map(([key, { default: value }]) => [key, value]),
    );
    return name === '' ? values : { [name]: values };
  });
  const config = structuredClone(Object.assign({}, ...sections) as Config);
  config.runtime.handlers = structuredClone(DEFAULT_HANDLERS);
  return config;
}
