import { parentPort, workerData } from 'node:worker_threads';
import { apiServer } from '../../kubernetes/api.ts';
import { kubeconfigLogin } from '../../kubernetes/kubeconfig.ts';
import { followNodes } from './kubernetes-nodes.ts';

/* The thread of `NodesThread`. */

const { kubeconfig } = workerData as { kubeconfig: string };
const api = apiServer(kubeconfigLogin(kubeconfig));
await followNodes(api, (report) => parentPort!.postMessage(report), new AbortController().signal);
