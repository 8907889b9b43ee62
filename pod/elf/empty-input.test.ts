import assert from 'node:assert/strict';
import { ExitWatcher } from '../../native/exits.ts';
import { run } from '../../native/run.ts';
import { EmptyInputProgram } from './empty-input.ts';

describe('a program that gives another one an empty input', () => {
  it('hands on the arguments, and an input at its end that is not the one it has', async () => {
    const exits = await ExitWatcher.start();
    const program = new EmptyInputProgram();
    const path = program.path('/bin/sh')!;
    assert.equal(program.path('/bin/sh'), path);
    const script =
      'wc -c; readlink /proc/self/fd/0 | cut -d: -f1; ls /proc/self/fd | wc -l; echo "$0 $1 $PATH"';
    const result = await run(exits, {
      path,
      argv: ['sh', '-c', script, 'first', 'the second'],
      stdin: Buffer.from('not this'),
      timeoutMs: 5000,
    });
    const [size, input, , words] = result.stdout.toString().split('\n');
    assert.equal(result.stderr.toString(), '');
    assert.deepEqual([size!.trim(), input], ['0', 'pipe']);
    assert.match(words!, /^first the second \/usr\/local\/sbin:/);
    assert.equal(
      (await run(exits, { path: program.path('/absent')!, argv: ['x'], timeoutMs: 5000 })).code,
      127,
    );
    program.close();
    const both = new EmptyInputProgram({ terminal: true });
    const streams = 'exec 3>&1; readlink /proc/self/fd/0 /proc/self/fd/3 >&2; echo swallowed';
    const swallowed = await run(exits, {
      path: both.path('/bin/sh')!,
      argv: ['sh', '-c', streams],
      timeoutMs: 5000,
    });
    const [first, second] = swallowed.stderr.toString().trim().split('\n');
    assert.match(first!, /^pipe:/);
    assert.equal(first, second);
    assert.equal(swallowed.stdout.toString(), '');
    both.close();
    await exits.close();
  });
});
