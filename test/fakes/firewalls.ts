import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { FirewallKind } from '../../network/firewall.ts';

export const KINDS: readonly FirewallKind[] = ['iptables', 'iptables-legacy', 'nftables'];

/** A program on the node; its output. Fails when it does. */
export function onNode(...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), { encoding: 'utf8' });
  assert.equal(status, 0, `${argv.join(' ')}: ${stderr}`);
  return stdout;
}

/** Whether the kernel has the legacy tables of iptables. */
export function hasLegacyTables(): boolean {
  return spawnSync('iptables-legacy-save', ['-t', 'nat']).status === 0;
}

/** All rules of both families that this way of writing them has made. */
export function rulesBy(kind: FirewallKind): string {
  switch (kind) {
    case 'iptables':
      return onNode('iptables-save') + onNode('ip6tables-save');
    case 'iptables-legacy':
      return onNode('iptables-legacy-save') + onNode('ip6tables-legacy-save');
    case 'nftables':
      return (['ip', 'ip6', 'inet'] as const)
        .flatMap((family) => onNode('nft', 'list', 'tables', family).trim().split('\n'))
        .filter((line) => line !== '' && !/ (nat|filter|mangle|raw)$/.test(line))
        .map((line) => onNode('nft', 'list', ...line.split(' ')))
        .join('');
    default:
      return kind satisfies never;
  }
}

/** Takes away all rules there are, as a careless administrator does. */
export function flush(): void {
  onNode('nft', 'flush', 'ruleset');
  if (!hasLegacyTables()) return;
  for (const program of ['iptables-legacy', 'ip6tables-legacy'])
    for (const table of ['nat', 'filter'])
      for (const what of ['-F', '-X']) onNode(program, '-t', table, what);
  for (const program of ['iptables-legacy', 'ip6tables-legacy']) onNode(program, '-P', 'FORWARD', 'ACCEPT');
}

/** Has the node forward nothing by itself, in the way that this kind can answer to. */
export function dropForwards(kind: FirewallKind): void {
  if (kind !== 'nftables') {
    for (const program of kind === 'iptables'
      ? ['iptables', 'ip6tables']
      : ['iptables-legacy', 'ip6tables-legacy'])
      onNode(program, '-P', 'FORWARD', 'DROP');
    return;
  }
  for (const family of ['ip', 'inet']) {
    onNode('nft', 'add', 'table', family, 'site');
    onNode('nft', `add chain ${family} site forward { type filter hook forward priority 0; policy drop; }`);
  }
}
