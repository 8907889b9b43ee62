/** Times attach and detach of one configuration by both ways, in the namespaces that this process was started in. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Limit } from '../../ground/limit.ts';
import type { AttachRequest, HostPort, PodNetwork } from '../../network/pod-network.ts';
import { OWN_TYPES } from '../../network/plugins/own-plugins.ts';
import { NodeNetworkRig, until } from '../fakes/node-network.ts';
import type { NetworkTimes, Way } from './network.ts';

const [rounds, crowd, foreign, output] = process.argv.slice(2) as [string, string, string, string];
const AT_ONCE = 20;
const WARM_UP = 3;
const TICKS_PER_SECOND = 100;

const rig = await NodeNetworkRig.open();
const list = (more: object, others: object[]): object => ({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      isGateway: true,
      ...more,
      ipam: {
        type: 'host-local',
        dataDir: join(rig.directory, 'leases'),
        ranges: [[{ subnet: '10.22.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    ...others,
  ],
});
const CASES: [name: string, list: object, port: boolean][] = [
  ['plain', list({}, []), false],
  [
    'masquerade, host port',
    list({ ipMasq: true }, [{ type: 'portmap', capabilities: { portMappings: true } }]),
    true,
  ],
];
const leaving = (): number => rig.records.table('cni-attachments').all().length;
let pods = 0;

async function networks(configuration: object): Promise<Record<Way, PodNetwork>> {
  writeFileSync(join(rig.confDir, '10-pods.conflist'), JSON.stringify(configuration));
  const ours = await rig.network('', { pollMs: 1e6 });
  const exec = await rig.network('', { pollMs: 1e6, execPlugins: [...OWN_TYPES] });
  for (const one of [ours, exec]) await one.start();
  return { 'in process': ours, 'by exec': exec };
}

function pod(port: boolean): AttachRequest {
  const id = `pod${pods++}`;
  const mapping: HostPort = { protocol: 'tcp', hostPort: 10_000 + pods, containerPort: 80, hostIp: '' };
  return rig.pod(id, port ? [mapping] : []);
}

async function timed<T>(into: number[], work: () => Promise<T>, cpu: number[] = []): Promise<T> {
  const [begun, used] = [performance.now(), cpuMs()];
  const result = await work();
  into.push(performance.now() - begun);
  cpu.push(cpuMs() - used);
  return result;
}

/** CPU time of this process and of the children that it has waited for: milliseconds (proc(5), /proc/pid/stat). */
function cpuMs(): number {
  const own = process.cpuUsage();
  const text = readFileSync('/proc/self/stat', 'latin1');
  // From the third field on; cutime and cstime are the sixteenth and seventeenth.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[13]) + Number(fields[14]);
  return (own.user + own.system) / 1000 + (ticks * 1000) / TICKS_PER_SECOND;
}

const times: NetworkTimes = {
  cases: {},
  crowd: {},
  foreign: { rules: Number(foreign), before: [], after: [] },
};
for (const [name, configuration, port] of CASES) {
  const both = await networks(configuration);
  const found = (times.cases[name] = {
    'in process': { attach: [] as number[], detach: [] as number[], cpu: [] as number[] },
    'by exec': { attach: [] as number[], detach: [] as number[], cpu: [] as number[] },
  });
  for (let round = 0; round < WARM_UP + Number(rounds); round++)
    for (const way of ['in process', 'by exec'] as const) {
      const request = pod(port);
      const into = round < WARM_UP ? { attach: [], detach: [], cpu: [] } : found[way];
      const attachment = await timed(into.attach, async () => await both[way].attach(request), into.cpu);
      await timed(into.detach, async () => await both[way].detach(request, attachment));
      rig.dropNetns(request.netnsPath);
      await until(() => leaving() === 0, 20_000);
    }
}

const both = await networks(CASES[1]![1]);
for (const way of ['in process', 'by exec'] as const) {
  const limit = new Limit(AT_ONCE);
  const waits: number[] = [];
  const requests = Array.from({ length: Number(crowd) }, () => pod(true));
  const attached = await Promise.all(
    requests.map(async (request) =>
      limit.run(
        async () => [request, await timed(waits, async () => await both[way].attach(request))] as const,
      ),
    ),
  );
  times.crowd[way] = waits;
  for (const [request, attachment] of attached) {
    await both[way].detach(request, attachment);
    rig.dropNetns(request.netnsPath);
  }
  await until(() => leaving() === 0, 60_000);
}

const { 'in process': plain } = await networks(CASES[0]![1]);
const some = async (into: number[]): Promise<void> => {
  for (let round = 0; round < Number(rounds); round++) {
    const request = pod(false);
    const attachment = await timed(into, async () => await plain.attach(request));
    await plain.detach(request, attachment);
    rig.dropNetns(request.netnsPath);
    await until(() => leaving() === 0, 20_000);
  }
};
await some(times.foreign.before);
const rules = Array.from(
  { length: Number(foreign) },
  (_, index) => `-A FOREIGN -d 192.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32 -j RETURN`,
);
const { status, stderr } = spawnSync('iptables-restore', ['--noflush'], {
  input: ['*nat', ':FOREIGN - [0:0]', ...rules, 'COMMIT', ''].join('\n'),
  encoding: 'utf8',
});
if (status !== 0) throw new Error(`iptables-restore: ${stderr}`);
await some(times.foreign.after);

writeFileSync(output, JSON.stringify(times));
await rig.close();
