import { ContainerState } from '../pods.ts';
import { bytesOf } from '../remote-command.ts';
import type { NodeStreams } from '../streams.ts';
import type { Book } from './book.ts';
import { PORT_OF_WEB } from './desired.ts';
import { isCode, type Line } from './line.ts';

/*
 * What people do on a node now and then, through its kubelet.
 */

const WORDS = 'a line from elsewhere\n';

/** kubectl exec -i over SPDY: what goes in comes out, and the exit code arrives. */
export async function oneExec(streams: NodeStreams, containerId: string, book: Book): Promise<void> {
  const command = await streams.exec(containerId, ['sh', '-c', 'cat; exit 6'], { stdin: true });
  command.stdin!.end(WORDS);
  const [stdout, code] = await Promise.all([bytesOf(command.stdout), command.exitCode()]);
  expectEcho(stdout.toString(), code, book);
  book.did('exec sessions');
}

/** The same over a WebSocket. */
export async function oneWebSocketExec(streams: NodeStreams, containerId: string, book: Book): Promise<void> {
  const command = await streams.webSocketExec(containerId, ['sh', '-c', 'cat; exit 6'], { stdin: true });
  command.stdin.end(WORDS);
  const [stdout, code] = await Promise.all([bytesOf(command.stdout), command.exitCode()]);
  expectEcho(stdout.toString(), code, book);
  book.did('exec sessions');
}

function expectEcho(stdout: string, code: number, book: Book): void {
  if (stdout !== WORDS || code !== 6)
    book.complain('an exec session does not say what its command said', `${code}: ${stdout}`);
}

/** kubectl port-forward to a pod that serves: one request, one answer. */
export async function oneForward(
  streams: NodeStreams,
  web: { sandboxId: string } | undefined,
  book: Book,
): Promise<void> {
  if (web === undefined) return;
  const session = await streams.forward(web.sandboxId);
  const { data, errorText } = session.open(PORT_OF_WEB);
  data.write('GET / HTTP/1.0\r\n\r\n');
  const answer = (await bytesOf(data)).toString();
  if (!answer.endsWith('berth\n') || (await errorText) !== '')
    book.complain('a forwarded port does not answer', `${answer} ${await errorText}`);
  streams.hangUp();
  book.did('port-forward sessions');
}

const MIB = 2 ** 20;

/** A resize in place of each container: the status has to show it at once. */
export async function updateResources(
  line: Line,
  book: Book,
  containers: { id: string; sandboxId: string; endedBy?: string }[],
  phase: number,
): Promise<void> {
  const memory = BigInt((phase % 2 === 0 ? 96 : 64) * MIB);
  for (const made of containers) {
    if (made.endedBy !== undefined) continue;
    const linux = { cpuPeriod: 100_000, cpuShares: 204, cpuQuota: 50_000, memoryLimitInBytes: memory };
    try {
      // The container can end meanwhile.
      const tolerate = ['NOT_FOUND' as const, 'FAILED_PRECONDITION' as const];
      await line.call('UpdateContainerResources', { containerId: made.id, linux }, { tolerate });
      const { status } = await line.call('ContainerStatus', { containerId: made.id }, { tolerate });
      const found = status?.resources?.linux?.memoryLimitInBytes;
      if (status?.state === ContainerState.RUNNING && found !== memory)
        book.complain('a resize does not show in the status', `${made.id}: ${found}, not ${memory}`);
      book.did('containers resized');
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND', 'FAILED_PRECONDITION')) throw error;
    }
  }
}
