import assert from 'node:assert/strict';
import { SILENT, type Log } from '../../ground/log.ts';
import { takeServiceEnvironment } from './service-environment.ts';
import { NOBODY, openSupervisor, PATIENCE_MS, type MessageSocket } from './supervisor.ts';

describe('what the daemon tells its service manager', () => {
  class Inbox implements MessageSocket {
    readonly got: string[] = [];
    full = false;
    error: Error | undefined;
    closed = false;
    send(bytes: Uint8Array): boolean {
      if (this.error !== undefined) throw this.error;
      if (this.full) return false;
      this.got.push(Buffer.from(bytes).toString());
      return true;
    }
    close(): void {
      this.closed = true;
    }
  }

  const open = (inbox: Inbox, log: Log = SILENT): ReturnType<typeof openSupervisor> =>
    openSupervisor('/run/notify', () => inbox, log);

  it('is in the order and in the words of sd_notify', () => {
    const inbox = new Inbox();
    const supervisor = open(inbox);
    supervisor.progress('Opening the records');
    supervisor.progress('Opening the records');
    supervisor.ready('Serving\n3 pods');
    supervisor.alive();
    supervisor.status('Serving 3 pods');
    supervisor.status('Serving 4 pods');
    const before = process.hrtime.bigint() / 1000n;
    supervisor.reloading();
    supervisor.ready('Serving 4 pods');
    supervisor.stopping('Stopping');
    const reloading = inbox.got.splice(5, 1)[0]!;
    const patience = `EXTEND_TIMEOUT_USEC=${PATIENCE_MS * 1000}\n`;
    assert.deepEqual(inbox.got, [
      `STATUS=Opening the records\n${patience}`,
      patience,
      `READY=1\nMAINPID=${process.pid}\nSTATUS=Serving 3 pods\n`,
      'WATCHDOG=1\n',
      'STATUS=Serving 4 pods\n',
      `READY=1\nMAINPID=${process.pid}\nSTATUS=Serving 4 pods\n`,
      'STOPPING=1\nSTATUS=Stopping\n',
    ]);
    const usec = /^RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=Reading the configuration\n$/.exec(
      reloading,
    )![1]!;
    assert.ok(BigInt(usec) >= before && BigInt(usec) <= process.hrtime.bigint() / 1000n);
  });

  it('waits for room in a full socket; only the watchdog is not fed late', async () => {
    const inbox = new Inbox();
    const supervisor = open(inbox);
    inbox.full = true;
    supervisor.ready('Serving');
    supervisor.alive();
    inbox.full = false;
    while (inbox.got.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    supervisor.alive();
    assert.deepEqual(inbox.got, [`READY=1\nMAINPID=${process.pid}\nSTATUS=Serving\n`, 'WATCHDOG=1\n']);
    supervisor.close();
    assert.ok(inbox.closed);
  });

  it('is no hindrance when nobody listens, and is said once', () => {
    const inbox = new Inbox();
    inbox.error = new Error('send: ECONNREFUSED');
    const warnings: object[] = [];
    const supervisor = open(inbox, { ...SILENT, warn: (fields) => warnings.push(fields) });
    supervisor.ready('Serving');
    supervisor.alive();
    assert.deepEqual(warnings, [{ error: 'send: ECONNREFUSED' }]);
    const refuse = (): never => {
      throw new Error('vsock');
    };
    assert.equal(openSupervisor('vsock:2:1', refuse, SILENT), NOBODY);
    assert.equal(openSupervisor(undefined, refuse, SILENT), NOBODY);
  });

  it('is asked for by the environment, which children do not see', () => {
    const environment: Record<string, string | undefined> = {
      NOTIFY_SOCKET: '@notify',
      WATCHDOG_USEC: '60000000',
      WATCHDOG_PID: '42',
      JOURNAL_STREAM: '8:12345',
      LISTEN_FDS: '1',
      PATH: '/bin',
    };
    assert.deepEqual(takeServiceEnvironment({ ...environment }, 7).watchdogMs, undefined);
    assert.deepEqual(takeServiceEnvironment({ WATCHDOG_USEC: 'x' }), {
      notifySocket: undefined,
      watchdogMs: undefined,
      journalStream: undefined,
    });
    assert.deepEqual(takeServiceEnvironment(environment, 42), {
      notifySocket: '@notify',
      watchdogMs: 60_000,
      journalStream: '8:12345',
    });
    assert.deepEqual(environment, { PATH: '/bin' });
  });
});
