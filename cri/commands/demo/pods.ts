import type { RequestInput } from '../../rpc.ts';
import { NamespaceMode } from '../../proto/codec.js';
import { DEMO_IMAGE } from './image.ts';
import type { DemoNode } from './node.ts';

type SandboxConfig = NonNullable<RequestInput<'RunPodSandbox'>['config']>;
type ContainerConfig = NonNullable<RequestInput<'CreateContainer'>['config']>;

/** Own network and IPC for the pod, own PIDs for its container: what a kubelet asks for by default. */
const NAMESPACES = {
  network: NamespaceMode.POD,
  pid: NamespaceMode.CONTAINER,
  ipc: NamespaceMode.POD,
};

/** The configuration of the demo pod `name`. */
export function sandboxConfig(node: DemoNode, name: string): SandboxConfig {
  return {
    metadata: { name, uid: `demo-${name}`, namespace: 'demo', attempt: 0 },
    hostname: name,
    logDirectory: node.logDirectory(name),
    labels: { app: 'berth-demo' },
    linux: {
      cgroupParent: `${node.cgroup}/${name}`,
      securityContext: { namespaceOptions: NAMESPACES },
    },
  };
}

/** The configuration of the one container of a demo pod. */
export function containerConfig(name: string, script: string): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: { image: DEMO_IMAGE },
    command: ['sh', '-c', script],
    labels: { app: 'berth-demo' },
    logPath: `${name}.log`,
    linux: {
      resources: { memoryLimitInBytes: 64 * 1024 * 1024, cpuShares: 256 },
      securityContext: { namespaceOptions: NAMESPACES },
    },
  };
}
