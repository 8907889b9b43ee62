/**
 * What the network room offers to the rooms above it: one pod's network, in and out. `open-network.ts` makes the
 * real one (built-in bridge network, or the CNI list that `conf_dir` holds).
 */

export interface HostPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

export interface AttachRequest {
  /** The sandbox's id: owner of addresses, links, rules. */
  id: string;
  /** A pin of the pod's network namespace (a bind mount of nsfs). */
  netnsPath: string;
  podName: string;
  podNamespace: string;
  podUid: string;
  /** Only those with a hostPort above 0. */
  hostPorts: HostPort[];
  annotations: Record<string, string>;
  cgroupParent: string;
  /** What the pod resolves names by; absent: as the node does. */
  dns?: { servers: string[]; searches: string[]; options: string[] };
}

/** What was attached: durable with the sandbox's record, and all that detach needs. Plain data. */
export interface Attachment {
  /** `bridge` (built in) or `cni`. */
  network: 'bridge' | 'cni';
  /** The pod's addresses, the primary one first, without prefix length. */
  addresses: string[];
  /** What the maker needs to undo it: host link name, rule tags, the CNI configuration that ADD used. */
  detail: Record<string, unknown>;
}

export interface NetworkStatus {
  ready: boolean;
  reason: string;
  message: string;
  /** The range of pod addresses in force, and who gave it; absent: none is known. */
  range?: { podCidr: string; by: 'configuration' | 'overlay' | 'caller' };
  /** The VXLAN, where one is configured. */
  overlay?: OverlayStatus;
}

/** How this node and the other ones of the cluster are joined. */
export interface OverlayStatus {
  /** This node's name in the cluster. */
  node: string;
  link: string;
  /** This node's end; empty while it is not known. */
  address: string;
  podCidrs: string[];
  mtu: number;
  /** Empty while the API server answers. */
  apiTrouble: string;
  /** The nodes that the link leads to. */
  peers: { name: string; address: string; podCidrs: string[] }[];
  /** Nodes that it cannot lead to. */
  refused: { name: string; why: string }[];
}

/** What makes the network of new pods, for people. */
export interface NetworkShape {
  by: 'bridge' | 'cni' | 'none';
  /** The bridge's link or the CNI list's name; empty while there is none. */
  name: string;
  /** Types of the list's plugins; empty for the built-in network. */
  plugins: string[];
  /** Of the bridge; 0 while it is not known, and with CNI plugins. */
  mtu: number;
  /** Where the built-in network's addresses come from, and how many pods hold or give back. Ranges can be huge: texts. */
  ranges: { cidr: string; size: string; inUse: number }[];
  /** Who writes the packet filter. */
  firewall: string;
}

export interface PodNetwork {
  /** Prepares what all pods share (bridge, masquerade rule). Called at start and again by attach when it was lost. */
  start(signal?: AbortSignal): Promise<void>;
  /**
   * Gives the pod in `netnsPath` its network. Intent (address lease) is durable before the kernel changes. On failure
   * it has undone its steps; what could not be undone is in the lease records and is found by `gc`.
   */
  attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment>;
  /**
   * Takes the pod's network away. Idempotent; works when the namespace, the link, the plugin's binary or its
   * configuration is gone already. `attachment` may be absent (crash between intent and commit): then all that
   * carries the sandbox's id goes. Rejects when something of it is left: the caller makes a debt of that.
   */
  detach(request: AttachRequest, attachment: Attachment | undefined, signal?: AbortSignal): Promise<void>;
  /**
   * Releases leases, rules and links of all sandboxes that are not in `live`. Called at start; `progress` hears of each
   * step, since plugins may take their time.
   */
  gc(live: Set<string>, progress?: (step: string) => void): Promise<void>;
  /** From memory. */
  status(): NetworkStatus;
  /** From memory. */
  shape(): NetworkShape;
  /** The range that the kubelet gives (UpdateRuntimeConfig); an empty text changes nothing. */
  setPodCidr(cidr: string): Promise<void>;
  close(): Promise<void>;
}
