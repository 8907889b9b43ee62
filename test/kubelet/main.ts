import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { missingNeeds } from '../needs.ts';
import { liveDay } from './day.ts';
import { report } from './report.ts';

/*
 * `npm run test:day`: ten minutes of a kubelet's day with 110 pods. `--pods`, `--phases` and `--phase-seconds` make
 * another one. The last line says whether all was well; so does the exit code.
 */

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '110' },
    phases: { type: 'string', default: '17' },
    'phase-seconds': { type: 'string', default: '30' },
  },
});

const begun = performance.now();
const say = (line: string): void => {
  const seconds = ((performance.now() - begun) / 1000).toFixed(0).padStart(4);
  console.log(`${seconds} s  load ${loadavg()[0]!.toFixed(1)}  ${line}`);
};

const missing = missingNeeds();
if (missing.length > 0) {
  console.error(missing.join('\n'));
  process.exit(1);
}
const result = await liveDay({
  pods: Number(values.pods),
  phases: Number(values.phases),
  phaseSeconds: Number(values['phase-seconds']),
  say,
});
const { ok, lines } = report(result, true);
console.log(`\n${lines.join('\n')}`);
say(ok ? 'a good day' : 'not a good day');
process.exitCode = ok ? 0 : 1;
