import { parseArgs } from 'node:util';
import { prepareImages } from './images.ts';
import { INSIDE, Machine } from './machine.ts';

/*
 * Runs something in the machine: see README.md. `node test/vm/run.ts --shell 'COMMAND'` runs a command,
 * `node test/vm/run.ts FILE.test.ts …` test files, both together the command first.
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
    console: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const limitMs = Number(values.limit) * 1000;
const images = await prepareImages(say);
say('booting');
const machine = await Machine.make(images);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void machine.destroy().then(() => process.exit(130)));
const onOutput = (data: Buffer): void => void process.stdout.write(data);
try {
  await machine.boot();
  say('up');
  await machine.bringSources();
  say('the sources are inside');
  if (values.shell !== undefined) {
    const { code } = await machine.run(['sh', '-c', values.shell], { cwd: INSIDE, limitMs, onOutput });
    say(`exit code ${code}`);
    process.exitCode = code;
  }
  for (const file of files) {
    const env = { BERTH_TEST_HANDLER: values.handler ?? '', BERTH_TEST_VERBOSE: '1' };
    const mocha = [`${INSIDE}/bin/node`, `${INSIDE}/node_modules/mocha/bin/mocha.js`, '--timeout', '600000'];
    const grep = values.grep === undefined ? [] : ['--grep', values.grep];
    const { code } = await machine.run([...mocha, ...grep, file], { cwd: INSIDE, env, limitMs, onOutput });
    say(`${file}: exit code ${code}`);
    if (code !== 0) process.exitCode = code;
  }
} finally {
  if (values.console) console.log(machine.console);
  await machine.destroy();
}
