import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Channel } from './channel.ts';
import { Lines, type Answer, type Request } from './guest/protocol.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the channel to the machine', () => {
  let directory: string;
  let channel: Channel;
  let agent: Socket;
  const requests: Request[] = [];
  const say = (answer: Answer): void => void agent.write(`${JSON.stringify(answer)}\n`);

  beforeEach(async () => {
    directory = mkdtempSync('/tmp/berth-channel-');
    requests.length = 0;
    channel = await Channel.listen(join(directory, 'socket'));
    agent = connect(join(directory, 'socket'));
    const lines = new Lines();
    agent.setEncoding('utf8');
    agent.on('data', (text: string) =>
      lines.push(text).forEach((line) => requests.push(JSON.parse(line) as Request)),
    );
    agent.write('{"op":"outp\n'.slice(1));
    say({ op: 'hello', bootId: 'one' });
    assert.equal(await channel.greeted, 'one');
  });
  afterEach(() => {
    channel.close();
    agent.destroy();
    rmSync(directory, { recursive: true });
  });

  const requested = async (): Promise<Request> => {
    while (requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    return requests.shift()!;
  };

  it('runs commands side by side and gives each its own output and code', async () => {
    const [one, two] = [channel.run(['one']), channel.run(['two'])];
    const [first, second] = [await requested(), await requested()];
    say({ id: second.id, op: 'output', stream: 2, data: base64('b') });
    say({ id: first.id, op: 'output', stream: 1, data: base64('a') });
    say({ id: second.id, op: 'end', code: 3 });
    say({ id: first.id, op: 'end', code: 0 });
    assert.deepEqual(await one, { code: 0, stdout: 'a', stderr: '' });
    assert.deepEqual(await two, { code: 3, stdout: '', stderr: 'b' });
  });

  it('ends a command that takes too long, and says what it had written', async () => {
    const late = channel.run(['slow'], { limitMs: 50 });
    const { id } = await requested();
    say({ id, op: 'output', stream: 1, data: base64('so far') });
    await assert.rejects(late, /slow took longer than 0\.05 s:\nso far/);
    assert.deepEqual(await requested(), { id: 0, op: 'signal', of: id, signal: 'SIGKILL' });
  });

  it('reads and writes files, and passes on why that failed', async () => {
    const read = channel.readFile('/x');
    say({ id: (await requested()).id, op: 'data', data: base64('bytes') });
    assert.equal((await read).toString(), 'bytes');
    const write = channel.writeFile('/y', 'z');
    say({ id: (await requested()).id, op: 'failed', reason: 'no room' });
    await assert.rejects(write, /no room/);
  });

  it('fails what was under way when the machine boots again or goes off', async () => {
    const before = channel.run(['sleep']);
    await requested();
    channel.expectReboot();
    say({ op: 'hello', bootId: 'two' });
    await assert.rejects(before, /rebooted meanwhile/);
    assert.equal(await channel.greeted, 'two');
    const after = channel.run(['sleep']);
    channel.lost('The power is gone');
    await assert.rejects(after, /The power is gone/);
  });
});
