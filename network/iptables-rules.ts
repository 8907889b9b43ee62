import type { RuleTables } from './iptables.ts';
import { chainsComplete, missingJumps, OUR_CHAINS, restoreText, type RuleSet } from './rule-text.ts';
import { TABLES } from './rule-batch.ts';
import type { RuleWriter } from './rule-writer.ts';

/** The rules of the built-in bridge network by iptables. */
export class IptablesRules implements RuleWriter {
  readonly #tables: RuleTables;

  constructor(tables: RuleTables) {
    this.#tables = tables;
  }

  get family(): 4 | 6 {
    return this.#tables.family;
  }

  async ensure(set: RuleSet): Promise<boolean> {
    const [nat, filter] = await Promise.all([this.#tables.save('nat'), this.#tables.save('filter')]);
    const saved = { nat, filter };
    const jumps = missingJumps(saved);
    if (jumps.length === 0 && chainsComplete(set, saved)) return false;
    await this.#tables.restore(restoreText(set, jumps));
    return true;
  }

  async write(set: RuleSet): Promise<void> {
    await this.#tables.restore(restoreText(set, [], ['nat']));
  }

  async clear(): Promise<boolean> {
    let found = false;
    for (const table of TABLES) {
      const lines = (await this.#tables.save(table)).split('\n');
      const chains = OUR_CHAINS.filter((chain) => lines.some((line) => line.startsWith(`:${chain} `)));
      if (chains.length === 0) continue;
      found = true;
      const jumps = lines.filter((line) => line.startsWith('-A ') && leadsTo(line, chains));
      const text = [
        `*${table}`,
        ...chains.map((chain) => `:${chain} - [0:0]`),
        ...jumps.map((line) => line.replace('-A ', '-D ')),
        ...chains.map((chain) => `-X ${chain}`),
        'COMMIT\n',
      ];
      await this.#tables.restore(text.join('\n'));
    }
    return found;
  }
}

function leadsTo(line: string, chains: string[]): boolean {
  return chains.some((chain) => line.endsWith(` -j ${chain}`));
}
