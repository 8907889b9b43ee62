import { finished } from 'node:stream/promises';
import type { Readable, Writable } from 'node:stream';
import type { AttachSession, ExecSession, Streams } from '../../pod/streams.ts';
import type { CommandWire } from './command-wire.ts';
import { pump } from './pump.ts';
import { exitStatus, failureStatus } from './status.ts';
import type { Ticket } from './ticket.ts';

/*
 * A remote command between the pod and its client:
 *
 *     start ──► streams flow ──► the command has exited, all output is with the transport, each stream has its end
 *                   │                 ──► status on the error stream ──► the client leaves
 *                   └── the client is gone ──► the command is killed (exec), or left alone (attach)
 */

/** Runs the command and delivers its status. */
export async function serveExec(
  streams: Streams,
  { containerId, request }: Ticket & { kind: 'exec' },
  wire: CommandWire,
): Promise<void> {
  const doing = 'executing command';
  let session: ExecSession;
  try {
    session = await streams.exec(containerId, request, wire.gone);
  } catch (error) {
    return await finish(wire, failureStatus(wire.protocol, doing, error));
  }
  const status = await during(wire, session, doing, async () => {
    const exitCode = await session.exited;
    return exitStatus(wire.protocol, exitCode);
  });
  await finish(wire, status);
}

/** Shows a container's output and feeds its input until one of both sides ends. */
export async function serveAttach(
  streams: Streams,
  { containerId, request }: Ticket & { kind: 'attach' },
  wire: CommandWire,
): Promise<void> {
  const doing = 'attaching to';
  let session: AttachSession;
  try {
    const { stdin, stdout, stderr } = request;
    session = await streams.attach(containerId, { stdin, stdout, stderr }, wire.gone);
  } catch (error) {
    return await finish(wire, failureStatus(wire.protocol, doing, error));
  }
  const leaving = { ...streamsOf(session), kill: () => session.detach() };
  const status = await during(wire, leaving, doing, async () => {
    await session.ended;
    return exitStatus(wire.protocol, 0);
  });
  await finish(wire, status);
}

type Session = Pick<ExecSession, 'stdin' | 'stdout' | 'stderr' | 'resize' | 'kill'>;

function streamsOf(session: AttachSession): Omit<Session, 'kill'> {
  const { stdin, stdout, stderr } = session;
  return { stdin, stdout, stderr, resize: (columns, rows) => session.resize(columns, rows) };
}

/** Lets the streams flow to their end; then `outcome` gives the status. */
async function during(
  wire: CommandWire,
  session: Session,
  doing: string,
  outcome: () => Promise<Buffer>,
): Promise<Buffer> {
  const kill = (): void => session.kill();
  for (const stream of [session.stdin, session.stdout, session.stderr]) stream?.on('error', () => {});
  wire.gone.addEventListener('abort', kill, { once: true });
  if (wire.gone.aborted) kill();
  try {
    wire.sizes.listen((columns, rows) => session.resize(columns, rows));
    feed(wire.stdin, session.stdin);
    await Promise.all([deliver(session.stdout, wire.stdout), deliver(session.stderr, wire.stderr)]);
    return await outcome();
  } catch (error) {
    return failureStatus(wire.protocol, doing, error);
  } finally {
    wire.gone.removeEventListener('abort', kill);
    session.kill();
  }
}

/** What the command no longer reads is thrown away: it would hold up the client's other streams. */
function feed(source: Readable | undefined, target: Writable | undefined): void {
  if (source === undefined) return;
  if (target === undefined) return void source.resume();
  pump(source, target).catch(() => {
    target.end();
    source.resume();
  });
}

async function deliver(source: Readable | undefined, target: Writable | undefined): Promise<void> {
  if (source === undefined) return void target?.end();
  if (target === undefined) return void source.resume();
  try {
    await pump(source, target);
  } catch (error) {
    if (!target.destroyed) throw error;
    // The client wants no more of it: the command learns by its next write, as from any closed pipe.
    source.destroy();
  }
}

async function finish(wire: CommandWire, status: Buffer): Promise<void> {
  wire.stdout?.end();
  wire.stderr?.end();
  if (!wire.gone.aborted && !wire.error.destroyed) {
    wire.error.end(status);
    await finished(wire.error, { readable: false }).catch(() => {}); // the client is gone
  }
  await wire.finish();
}
