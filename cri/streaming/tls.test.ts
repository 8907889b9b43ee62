import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import type { Log } from '../../ground/log.ts';
import { Authority } from '../../test/certificates.ts';
import { FakeStreams } from '../../test/fakes/streams.ts';
import { RemoteCommand } from '../../test/remote-command.ts';
import { WebSocketChannels } from '../../test/websocket-channels.ts';
import { StreamingServer } from './server.ts';

describe('streaming: TLS', function () {
  this.timeout(30_000);
  let directory: string;
  let authority: Authority;
  let server: StreamingServer;
  const lines: string[] = [];
  const keep = (_fields: object, message: string): void => void lines.push(message);
  const log: Log = { debug() {}, info: keep, warn: keep, error: keep };
  const file = (name: string): string => join(directory, name);
  const install = (name: string): void => {
    const { cert, key } = authority.issue(name, [`DNS:${name}`, 'IP:127.0.0.1']);
    copyFileSync(cert, file('cert'));
    copyFileSync(key, file('key'));
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-tls-'));
    authority = new Authority(directory);
    lines.length = 0;
    install('first');
    const certificate = { cert: file('cert'), key: file('key') };
    const streams = new FakeStreams();
    server = new StreamingServer({ listen: '127.0.0.1:0', streams, log, maxSessions: 5, certificate });
  });
  afterEach(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });

  const urlOf = (): Promise<string> =>
    server.url({
      kind: 'exec',
      containerId: 'c',
      request: { command: ['echo', 'secret'], stdin: false, stdout: true, stderr: true, tty: false },
    });
  const nameShown = async (url: string): Promise<string> => {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      rejectUnauthorized: false,
    });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const name = String(socket.getPeerCertificate().subject.CN);
    socket.destroy();
    return name;
  };

  it('carries SPDY and WebSocket', async () => {
    const ca = readFileSync(authority.ca);
    const spdy = await RemoteCommand.connect(await urlOf(), { ca });
    assert.equal((await spdy.finish()).stdout.toString(), 'secret');
    const socket = await WebSocketChannels.connect(await urlOf(), ['v5.channel.k8s.io'], { ca });
    assert.equal(await socket.closed, 1000);
    assert.equal(socket.text(1), 'secret');
  });

  it('takes a new certificate for the next URL, and keeps the old one while the new one is broken', async () => {
    assert.equal(await nameShown(await urlOf()), 'first');
    install('second');
    assert.equal(await nameShown(await urlOf()), 'second');
    writeFileSync(file('key'), 'no key');
    assert.equal(await nameShown(await urlOf()), 'second');
    assert.match(lines.join('\n'), /has a new certificate[^]*keeps its certificate/);
    install('third');
    assert.equal(await nameShown(await urlOf()), 'third');
  });

  it('is not there without its files', async () => {
    rmSync(file('cert'));
    await assert.rejects(urlOf(), { kind: 'unavailable', message: /cannot read .*cert.*stream_tls_cert/ });
    install('late');
    assert.equal(await nameShown(await urlOf()), 'late');
  });
});
