import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { prepareImages } from './images.ts';
import { INSIDE, Machine } from './machine.ts';

/*
 * Runs something in the machine: see README.md. `node test/vm/run.ts --shell 'COMMAND'` runs a command,
 * `node test/vm/run.ts FILE.test.ts …` test files, both together the command first. With `--lines` each line of standard
 * input is a command more, each with the sources as they are then.
 */

const begun = performance.now();

function say(line: string): void {
  console.log(`[${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s] ${line}`);
}

const { values, positionals: files } = parseArgs({
  options: {
    shell: { type: 'string' },
    handler: { type: 'string' },
    grep: { type: 'string' },
    limit: { type: 'string', default: '900' },
    lines: { type: 'boolean', default: false },
    console: { type: 'boolean', default: false },
    selinux: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const limitMs = Number(values.limit) * 1000;
const testEnvironment = { BERTH_TEST_HANDLER: values.handler ?? '', BERTH_TEST_VERBOSE: '1' };
const grep = values.grep === undefined ? [] : ['--grep', values.grep];
const mocha = ['bin/node', 'node_modules/mocha/bin/mocha.js', '--timeout', '600000', ...grep];
const images = await prepareImages(say);
say('booting');
const machine = await Machine.make(images);
machine.compile(files);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void machine.destroy().then(() => process.exit(130)));
const onOutput = (data: Buffer): void => void process.stdout.write(data);
try {
  await machine.boot(values.selinux ? 'selinux' : 'apparmor');
  say('up');
  await machine.bringSources();
  say('the sources are inside');
  const command = async (argv: string[], env: Record<string, string> = {}): Promise<void> => {
    const { code } = await machine.run(argv, { cwd: INSIDE, env, limitMs, onOutput });
    say(`${argv.at(-1)!.slice(0, 100)}: exit code ${code}`);
    if (code !== 0) process.exitCode = code;
  };
  if (values.shell !== undefined) await command(['sh', '-c', values.shell]);
  for (const file of files) await command([...mocha, file], testEnvironment);
  if (values.lines) {
    const running: Promise<void>[] = [];
    for await (const line of createInterface({ input: process.stdin })) {
      await machine.bringSources();
      running.push(command(['sh', '-c', line], testEnvironment).catch((error: Error) => say(error.message)));
    }
    await Promise.all(running);
  }
} finally {
  if (values.console) console.log(machine.console);
  await machine.destroy();
}
