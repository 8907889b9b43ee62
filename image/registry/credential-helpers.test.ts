import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT, type Log } from '../../ground/log.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { askHelper } from './credential-helpers.ts';

describe('credential helpers', () => {
  let exits: ExitWatcher;
  let directory: string;
  let warnings: string[];
  const log: Log = { ...SILENT, warn: (...parts: unknown[]) => void warnings.push(JSON.stringify(parts)) };
  const path = process.env['PATH'];
  before(async () => {
    exits = await ExitWatcher.start();
    directory = mkdtempSync(join(tmpdir(), 'berth-helpers-'));
    process.env['PATH'] = `${directory}:${path}`;
  });
  beforeEach(() => (warnings = []));
  after(async () => {
    process.env['PATH'] = path;
    await exits.close();
    rmSync(directory, { recursive: true });
  });

  const helper = (name: string, script: string): void =>
    writeFileSync(join(directory, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const ask = (name: string, registry: string, signal = new AbortController().signal) =>
    askHelper(exits, log, signal)(name, registry);

  it('are asked by the name of the registry, and Docker Hub by the address that Docker uses', async () => {
    helper(
      'echo',
      `server=$(cat); printf '{"ServerURL":"x","Username":"%s %s","Secret":"s3cret"}' "$1" "$server"`,
    );
    const found = await ask('echo', 'reg.example:5000');
    assert.equal(found?.username, 'get reg.example:5000');
    assert.equal(found?.password, 's3cret');
    assert.equal((await ask('echo', 'docker.io'))?.username, 'get https://index.docker.io/v1/');
    assert.deepEqual(warnings, []);
  });

  it('give a token in place of a user and password', async () => {
    helper('token', `echo '{"Username":"<token>","Secret":"s3cret"}'`);
    const found = await ask('token', 'reg.example');
    assert.deepEqual([found?.identityToken, found?.username, found?.password], ['s3cret', '', '']);
  });

  it('may have nothing', async () => {
    helper('empty', 'echo "credentials not found in native keychain"; exit 1');
    assert.equal(await ask('empty', 'reg.example'), undefined);
    assert.deepEqual(warnings, []);
  });

  it('that fail have nothing, and the log says why and no secret', async () => {
    helper('broken', 'echo "no session bus" >&2; exit 3');
    helper('babble', `echo '{"Secret":"s3cret'`);
    helper('half', `echo '{"Secret":"s3cret"}'`);
    for (const name of ['broken', 'babble', 'half', 'absent', '../x'])
      assert.equal(await ask(name, 'r'), undefined);
    const reasons = [
      /ended with 3: no session bus/,
      /no JSON/,
      /no Username/,
      /ENOENT/,
      /no name of a program/,
    ];
    assert.equal(warnings.length, reasons.length);
    for (const [i, reason] of reasons.entries()) assert.match(warnings[i]!, reason);
    assert.doesNotMatch(warnings.join(), /s3cret/);
  });

  it('are ended when the pull is', async () => {
    helper('slow', 'sleep 60');
    const stop = new AbortController();
    const answer = ask('slow', 'reg.example', stop.signal);
    setTimeout(() => stop.abort(new Error('gone')), 50);
    await assert.rejects(answer, /gone/);
  });
});
