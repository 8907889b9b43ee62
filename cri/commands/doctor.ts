import { Fault } from '../../ground/fault.ts';
import { loadConfig } from '../config/load.ts';
import { examine } from './doctor/examine.ts';
import type { Finding } from './doctor/finding.ts';

const MARKS = { good: 'ok     ', note: 'note   ', bad: 'MISSING' } as const;

/**
 * `berth doctor`: looks at what Berth needs of this node. Changes nothing that stays. Throws Fault `precondition` when
 * something is missing, after it has said what.
 */
export async function doctor(options: { config?: string; json?: boolean }): Promise<void> {
  const { config } = loadConfig(options.config);
  const findings = await examine(config);
  if (options.json === true) console.log(JSON.stringify(findings, undefined, 2));
  else findings.forEach(show);
  const bad = findings.filter(({ state }) => state === 'bad').length;
  if (bad > 0) throw new Fault('precondition', `${bad} of ${findings.length} things are missing`);
  const packages = [...new Set(findings.flatMap(({ install }) => install ?? []))];
  if (packages.length > 0 && options.json !== true)
    console.log(`\nMore would work with: apt-get install ${packages.join(' ')}`);
}

function show({ state, what, detail, install }: Finding): void {
  const hint = install === undefined ? '' : `: apt-get install ${install}`;
  console.log(
    `${MARKS[state]}  ${what}${detail === '' ? '' : ` (${detail})`}${state === 'good' ? '' : hint}`,
  );
}
