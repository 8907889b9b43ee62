import { parentPort, workerData } from 'node:worker_threads';
import { kubernetesApi } from './kubernetes-api.ts';
import { KubernetesNodes } from './kubernetes-nodes.ts';

/* The thread of `NodesThread`. */

const { kubeconfig } = workerData as { kubeconfig: string };
const nodes = new KubernetesNodes(kubernetesApi(kubeconfig), (report) => parentPort!.postMessage(report));
await nodes.run(new AbortController().signal);
