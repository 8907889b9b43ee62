import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { load, loadAll } from 'js-yaml';
import { addNodeCommands } from '../../cri/commands/node.ts';
import { ownVersion } from '../../cri/version.ts';
import { helm } from '../../test/helm.ts';
import { mistakesOf, type Manifest } from '../../test/manifests.ts';
import { configWith, renderDropIn } from '../node/drop-in.ts';
import { HostFiles } from '../node/host-files.ts';
import { settingsFrom } from '../node/settings.ts';
import { chartDocuments } from './documents.ts';

const CHART = import.meta.dirname;
const GOLDEN = join(CHART, 'golden');
const SETS = readdirSync(join(GOLDEN, 'values')).sort();

const rendered = new Map<string, Promise<string>>();

/** What helm makes of a set of values. */
function template(set: string): Promise<string> {
  const known = rendered.get(set);
  const values = join(GOLDEN, 'values', set);
  const made =
    known ??
    helm(
      'template',
      'berth',
      CHART,
      '--namespace',
      'berth-system',
      '--kube-version',
      '1.33.0',
      '-f',
      values,
    ).then(({ code, stdout, stderr }) => {
      assert.equal(code, 0, stderr);
      return stdout;
    });
  rendered.set(set, made);
  return made;
}

async function manifests(set: string): Promise<Manifest[]> {
  return (loadAll(await template(set)) as (Manifest | null)[]).filter((one) => one !== null);
}

interface Container {
  name: string;
  args: string[];
  readinessProbe?: { exec: { command: string[] } };
  livenessProbe?: { exec?: { command: string[] }; httpGet?: { host: string; port: number; path: string } };
}
interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

async function one<T>(set: string, kind: string, name?: string): Promise<T> {
  const found = (await manifests(set)).filter(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0] as T;
}

describe('the chart', function () {
  this.timeout(60_000);

  it('has generated documents that are fresh (node deploy/chart/documents.ts)', () => {
    for (const [name, text] of Object.entries(chartDocuments(CHART)))
      assert.equal(readFileSync(join(CHART, name), 'utf8'), text, name);
  });

  it('carries the version of the program', () => {
    const { version, appVersion } = load(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Record<
      string,
      string
    >;
    assert.deepEqual([version, appVersion], [ownVersion(), ownVersion()]);
  });

  for (const set of SETS) {
    it(`passes helm lint --strict with ${set}`, async () => {
      const { code, stdout, stderr } = await helm(
        'lint',
        '--strict',
        CHART,
        '-f',
        join(GOLDEN, 'values', set),
      );
      assert.equal(code, 0, stdout + stderr);
    });

    it(`makes of ${set} what it made before (BERTH_GOLDEN=write takes the new)`, async () => {
      const file = join(GOLDEN, `${basename(set, '.yaml')}.golden.yaml`);
      const made = await template(set);
      if (process.env['BERTH_GOLDEN'] === 'write') writeFileSync(file, made);
      assert.equal(made, readFileSync(file, 'utf8'));
    });

    it(`makes manifests of ${set} that the API server would understand`, async () => {
      const all = await manifests(set);
      assert.ok(all.length >= 2);
      assert.deepEqual((await Promise.all(all.map(mistakesOf))).flat(), []);
      const names = all.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
      assert.equal(new Set(names).size, names.length, 'no two of one name');
    });
  }

  it('would be told of mistakes in manifests', async () => {
    const daemonSet = await one<{ spec: { template: { spec: Record<string, unknown> } } } & Manifest>(
      'defaults.yaml',
      'DaemonSet',
    );
    daemonSet.spec.template.spec['hostPid'] = true;
    daemonSet.spec.template.spec['hostNetwork'] = 'yes';
    const mistakes = await mistakesOf(daemonSet);
    assert.deepEqual(mistakes.map((line) => line.replace(/^.*\.(\w+): /, '$1: ')).sort(), [
      'hostNetwork: is "yes", not a boolean',
      'hostPid: there is no such field',
    ]);
    assert.match(
      (await mistakesOf({ ...daemonSet, kind: 'DaemonSets' }))[0]!,
      /there is no apps\/v1 DaemonSets/,
    );
  });

  const refusals: [set: string, message: RegExp][] = [
    ['image.repo=x', /repo/],
    ['image.repository=', /repository/],
    ['image.pullPolicy=Sometimes', /pullPolicy/],
    ['image.digest=sha256:12', /digest/],
    ['updateStrategy.type=Recreate', /type/],
    ['updateStrategy.maxUnavailable=0', /maxUnavailable/],
    ['config.log.levl=debug', /levl/],
    ['config.log.level=loud', /level/],
    ['config.image.max_concurrent_downloads=0', /max_concurrent_downloads/],
    ['config.runtime.handlers.kata.pfad=/x', /pfad/],
    ['cni.directory=opt', /directory/],
    ['wait.seconds=0', /seconds/],
    ['wait.network=maybe', /network/],
    ['kubelet.switch=maybe', /switch/],
    ['kubelet.unit=kubelet', /unit/],
    ['runtimeClasses.handlers[0].name=Berth', /name/],
    ['nodeSelectr.a=b', /nodeSelectr/],
    ['monitoring.podMonitor.enabled=true', /set monitoring\.listen, such as 0\.0\.0\.0:9464/],
    ['monitoring.podMonitor.enabled=true,monitoring.listen=127.0.0.1:9464', /set monitoring\.listen/],
    ['monitoring.agentListen=9465', /agentListen/],
    ['monitoring.listen=0.0.0.0:9464,monitoring.agentListen=0.0.0.0:9464', /agentListen needs another port/],
    ['monitoring.listen=1.2.3.4:1,config.metrics.listen=1.2.3.4:2', /one of them has to go/],
  ];
  it('refuses values that are not what they should be, and says which', async () => {
    for (const [set, message] of refusals) {
      const { code, stderr } = await helm('template', 'berth', CHART, '--set', set);
      assert.notEqual(code, 0, set);
      assert.match(stderr, message, set);
    }
  });

  it('hands the installer settings that it takes, and a configuration that the daemon takes', async () => {
    for (const set of SETS) {
      const config = await one<{ data: Record<string, string> }>(
        set,
        'ConfigMap',
        set === 'everything.yaml' ? 'runtime-node' : 'berth-node',
      );
      const settings = settingsFrom(JSON.parse(config.data['settings.json']!));
      const root = mkdtempSync(join(tmpdir(), 'berth-chart-'));
      const effective = configWith(new HostFiles(root), renderDropIn(settings.config));
      rmSync(root, { recursive: true });
      if (set !== 'everything.yaml') continue;
      assert.equal(effective.metrics.listen, '0.0.0.0:9464');
      assert.equal(effective.image.max_concurrent_downloads, 3);
      assert.equal(effective.runtime.handlers['kata']?.sandbox, 'oci');
      assert.deepEqual([settings.cni.replace, settings.kubelet.switch, settings.crictl], [true, true, true]);
    }
  });

  it('calls commands and options that the program has', async () => {
    const program = new Command();
    addNodeCommands(program);
    const check = (argv: string[]): void => {
      const [first, ...rest] = argv[0] === 'berth' ? argv.slice(1) : argv;
      if (first === 'agent') return;
      const command = program.commands
        .find((each) => each.name() === first)
        ?.commands.find((each) => each.name() === rest[0]);
      assert.ok(command !== undefined, argv.join(' '));
      for (const arg of rest.filter((each) => each.startsWith('--')))
        assert.ok(
          command.options.some(({ long }) => long === arg),
          `${argv.join(' ')}: ${arg}`,
        );
    };
    for (const set of SETS)
      for (const { kind, spec } of await manifests(set)) {
        const pod = kind === 'Pod' ? spec : (spec as { template?: { spec: object } })?.template?.spec;
        const { initContainers = [], containers = [] } = (pod ?? {}) as Record<string, Container[]>;
        for (const { args, readinessProbe, livenessProbe } of [...initContainers, ...containers])
          for (const argv of [args, readinessProbe?.exec.command, livenessProbe?.exec?.command])
            if (argv !== undefined) check(argv);
      }
  });

  it('gives the rights that the agent says it needs, and no others', async () => {
    const readme = readFileSync(join(CHART, '../agent/README.md'), 'utf8');
    const [needed] = /(?<=```yaml\n)[\s\S]*?(?=```)/.exec(readme)!;
    const wanted = (loadAll(needed) as { kind: string; rules: Rule[] }[]).map(({ kind, rules }) => [
      kind,
      rules,
    ]);
    const given = (await manifests('defaults.yaml'))
      .filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && !metadata.name.endsWith('-withdraw'))
      .map(({ kind, rules }) => [kind, rules]);
    assert.deepEqual(given, wanted);
    const { rules } = await one<{ rules: Rule[] }>('switch.yaml', 'ClusterRole');
    const more = rules.filter((rule) => !JSON.stringify(wanted).includes(JSON.stringify(rule)));
    assert.deepEqual(
      more.map(({ resources, verbs }) => [resources, verbs]),
      [
        [['nodes'], ['get', 'list', 'watch', 'patch']],
        [['pods'], ['list']],
      ],
    );
  });

  it('gives power over the node to the init container alone', async () => {
    for (const set of SETS) {
      const daemonSet = await one<{ spec: { template: { spec: { containers: object[] } } } }>(
        set,
        'DaemonSet',
      );
      for (const container of daemonSet.spec.template.spec.containers) {
        const { securityContext, volumeMounts } = container as {
          securityContext: object;
          volumeMounts: { name: string }[];
        };
        assert.deepEqual(securityContext, {
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsUser: 0,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        });
        assert.deepEqual(
          volumeMounts.map(({ name }) => name),
          ['run-berth', 'tmp'],
        );
      }
    }
  });

  it('asks the agent for its health where the agent serves it, else through a program', async () => {
    const agentOf = async (listen: string): Promise<Container> => {
      const argv = ['template', 'berth', CHART, '--show-only', 'templates/daemonset.yaml'];
      const { code, stdout, stderr } = await helm(...argv, '--set', `monitoring.agentListen=${listen}`);
      assert.equal(code, 0, stderr);
      const { spec } = load(stdout) as { spec: { template: { spec: { containers: Container[] } } } };
      return spec.template.spec.containers[0]!;
    };
    for (const [listen, host] of [
      ['0.0.0.0:9465', '127.0.0.1'],
      ['[::]:9465', '::1'],
      ['127.0.0.1:9465', '127.0.0.1'],
      ['[fd00::7]:9465', 'fd00::7'],
    ] as const) {
      const { args, livenessProbe } = await agentOf(listen);
      assert.deepEqual(args.slice(-2), ['--metrics', listen]);
      assert.deepEqual(livenessProbe?.httpGet, { host, port: 9465, path: '/healthz' });
    }
    const { args, livenessProbe } = await agentOf('');
    assert.ok(!args.includes('--metrics'));
    assert.deepEqual(livenessProbe?.exec?.command.slice(0, 3), ['berth', 'agent', '--check']);
  });

  it('draws metrics that the daemon has, by labels that they have', () => {
    // Kept fresh from the registry by the gate.
    const table = readFileSync(join(CHART, '../../docs/metrics.md'), 'utf8').split('## Of pods')[0]!;
    const known = new Map(
      [...table.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \|/gm)].map(([, name, type, labels]) => [
        name!,
        { type, labels: [...labels!.matchAll(/`(\w+)`/g)].map((match) => match[1]!) },
      ]),
    );
    assert.ok(known.size > 20);
    const { panels } = JSON.parse(readFileSync(join(CHART, 'dashboard.json'), 'utf8')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    assert.ok(queries.length > 15);
    for (const { title, expr } of queries) {
      const [, selector] = /(\w+)\{/.exec(expr)!;
      const base = selector!.replace(/_(bucket|count|sum)$/, '');
      const metric = known.get(selector!) ?? known.get(base);
      assert.ok(metric !== undefined, `${title}: there is no metric ${selector}`);
      if (selector !== base && !known.has(selector!)) assert.equal(metric.type, 'histogram', title);
      // `node` is put there by the monitors.
      const used = [
        ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap((match) => match[1]!.split(', ')),
        ...[...expr.matchAll(/[{,]\s*(\w+)\s*[=!]~?"/g)].map((match) => match[1]!),
      ];
      for (const label of used)
        assert.ok(
          ['node', 'le', ...metric.labels].includes(label),
          `${title}: ${selector} has no label ${label}`,
        );
    }
  });

  it('notes what happens next', async () => {
    const notes = async (set: string): Promise<string> => {
      const values = join(GOLDEN, 'values', set);
      const argv = ['install', 'berth', CHART, '-n', 'berth-system', '--dry-run=client', '-f', values];
      const { code, stdout, stderr } = await helm(...argv);
      assert.equal(code, 0, stderr);
      return stdout.split('NOTES:')[1]!;
    };
    assert.match(await notes('defaults.yaml'), /no pod of yours runs on Berth yet/);
    assert.match(await notes('switch.yaml'), /kubectl drain NODE --ignore-daemonsets/);
    assert.match(await notes('least.yaml'), /helm uninstall leaves Berth on the nodes/);
  });
});
