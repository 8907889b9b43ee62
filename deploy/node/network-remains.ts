import { Fault } from '../../ground/fault.ts';
import type { HostPrograms, ProgramResult } from './programs.ts';

/*
 * What a daemon leaves in the node's network when it stops, so that pods go on: its links, and its part of the packet
 * filter. It goes with the last of the pods: when Berth leaves the node.
 */

const QUICK_MS = 30_000;
const CHAIN = /^BERTH-/;
const TABLES = ['berth', 'berth-cni'];
const FILTERS = ['iptables', 'ip6tables', 'iptables-legacy', 'ip6tables-legacy'];

/** Removes links, chains and tables of Berth. Returns what could not be removed. */
export async function removeNetwork(programs: HostPrograms, links: string[]): Promise<string[]> {
  const left: string[] = [];
  const must = async (argv: string[]): Promise<void> => {
    const result = await run(programs, argv);
    if (result !== undefined && result.code !== 0) left.push(`${argv.join(' ')}: ${result.stderr.trim()}`);
  };
  for (const name of links)
    if ((await run(programs, ['ip', 'link', 'show', 'dev', name]))?.code === 0)
      await must(['ip', 'link', 'del', 'dev', name]);
  for (const filter of FILTERS) {
    const saved = await run(programs, [`${filter}-save`]);
    if (saved?.code === 0) for (const argv of removals(saved.stdout)) await must([filter, ...argv]);
  }
  const tables = await run(programs, ['nft', 'list', 'tables']);
  for (const [, family, name] of tables?.stdout.matchAll(/^table (\w+) (\S+)$/gm) ?? [])
    if (TABLES.includes(name!)) await must(['nft', 'delete', 'table', family!, name!]);
  return left;
}

/** The arguments of iptables that take Berth's chains away, and what leads to them, by the text of iptables-save. */
export function removals(saved: string): string[][] {
  const jumps: string[][] = [];
  const flushes: string[][] = [];
  const deletions: string[][] = [];
  let table = '';
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    const chain = /^:(\S+)/.exec(line)?.[1];
    if (chain !== undefined && CHAIN.test(chain)) {
      flushes.push(['-w', '-t', table, '-F', chain]);
      deletions.push(['-w', '-t', table, '-X', chain]);
    }
    const [, from, rest] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (from === undefined || CHAIN.test(from) || !/ (-j|-g) BERTH-\S+/.test(line)) continue;
    const words = [...rest!.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    jumps.push(['-w', '-t', table, '-D', from, ...words]);
  }
  return [...jumps, ...flushes, ...deletions];
}

async function run(programs: HostPrograms, argv: string[]): Promise<ProgramResult | undefined> {
  try {
    return await programs.run(argv, QUICK_MS);
  } catch (error) {
    if (error instanceof Fault && error.kind === 'precondition') return undefined; // not on this node
    throw error;
  }
}
