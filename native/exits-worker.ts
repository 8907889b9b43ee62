import { parentPort, workerData } from 'node:worker_threads';
import { epollWait } from './epoll.ts';

/**
 * The thread of an ExitWatcher: it sleeps in epoll_wait and tells the main thread which tokens became ready.
 * Token 0 ends it. The first message, without tokens, says that it is ready.
 */
const { epfd } = workerData as { epfd: number };
parentPort!.postMessage([]);
for (;;) {
  const tokens = epollWait(epfd);
  if (tokens.includes(0)) break;
  parentPort!.postMessage(tokens);
}
