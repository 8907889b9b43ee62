import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../ground/wait.ts';
import { ExitWatcher } from '../native/exits.ts';
import { type ConfigList, parseConfigList } from './config-list.ts';
import {
  addToNetwork,
  checkOnNetwork,
  collectGarbage,
  deleteFromNetwork,
  type PodInterface,
  probeNetwork,
} from './network-list.ts';
import { PluginError } from './plugin-error.ts';
import { PluginRunner } from './plugin-runner.ts';

/** A plugin that notes each call, and does what `script` says. */
const PLUGIN = (log: string, script: string): string => `#!/bin/sh
config=$(cat)
printf '%s\\n' "$CNI_COMMAND \${0##*/} $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $config" >> ${log}
${script}
`;
const VERSIONS = `[ "$CNI_COMMAND" = VERSION ] && { echo '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.0.0","1.1.0"]}'; exit 0; }`;
const RESULT = `[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.9/24"}],"by":"'\${0##*/}'"}'; exit 0`;

const POD: PodInterface = {
  containerId: 'pod1',
  netns: '/run/netns-1',
  ifName: 'eth0',
  args: { IgnoreUnknown: '1', K8S_POD_NAME: 'web' },
  capabilities: { portMappings: [{ hostPort: 80 }], bandwidth: undefined, dns: {} },
};

describe('CNI plugins', () => {
  let exits: ExitWatcher;
  let directory: string;
  let runner: PluginRunner;
  before(async () => {
    exits = await ExitWatcher.start();
  });
  after(async () => await exits.close());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-cni-'));
    mkdirSync(join(directory, 'bin'));
    runner = new PluginRunner(exits, [join(directory, 'empty'), join(directory, 'bin')]);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const plugin = (name: string, script: string): void =>
    writeFileSync(join(directory, 'bin', name), PLUGIN(join(directory, 'log'), script), { mode: 0o755 });
  const list = (cniVersion: string, plugins: object[], more: object = {}): ConfigList =>
    parseConfigList(JSON.stringify({ cniVersion, name: 'net', plugins, ...more }), 'test.conflist');
  const calls = (): { what: string; config: Record<string, unknown> }[] =>
    readFileSync(join(directory, 'log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('{');
        return {
          what: line.slice(0, at).trim(),
          config: JSON.parse(line.slice(at)) as Record<string, unknown>,
        };
      });
  const ignore = (): void => undefined;

  it('runs ADD in order and DEL in reverse, each with what it may know', async () => {
    plugin('one', RESULT);
    plugin('two', RESULT);
    const both = list('1.0.0', [
      { type: 'one', mtu: 1400 },
      { type: 'two', capabilities: { portMappings: true, bandwidth: true, dns: false } },
    ]);
    const result = await addToNetwork(runner, both, POD, ignore);
    assert.equal(result['by'], 'two');
    await deleteFromNetwork(runner, both, { ...POD, netns: '' }, result);
    const tail = 'eth0 IgnoreUnknown=1;K8S_POD_NAME=web';
    const seen = calls();
    assert.deepEqual(
      seen.map(({ what }) => what),
      [
        `ADD one pod1 /run/netns-1 ${tail}`,
        `ADD two pod1 /run/netns-1 ${tail}`,
        `DEL two pod1  ${tail}`,
        `DEL one pod1  ${tail}`,
      ],
    );
    assert.deepEqual(seen[0]!.config, { type: 'one', mtu: 1400, name: 'net', cniVersion: '1.0.0' });
    assert.deepEqual(seen[1]!.config['runtimeConfig'], { portMappings: [{ hostPort: 80 }] });
    assert.deepEqual((seen[1]!.config['prevResult'] as { by: string }).by, 'one');
    assert.deepEqual(seen[3]!.config['prevResult'], result);
  });

  it('undoes a failed ADD with DEL of all, and passes the error on', async () => {
    plugin('one', RESULT);
    plugin(
      'two',
      `[ $CNI_COMMAND = ADD ] && { echo '{"code":11,"msg":"no room","details":"at all"}'; exit 1; }; exit 0`,
    );
    const both = list('1.0.0', [{ type: 'one' }, { type: 'two' }]);
    await assert.rejects(addToNetwork(runner, both, POD, ignore), (error: Error) => {
      assert.match(error.message, /CNI plugin two: ADD failed: code 11: no room \(at all\)/);
      assert.ok(error.cause instanceof PluginError);
      assert.equal((error as { kind?: string }).kind, 'unavailable');
      return true;
    });
    assert.deepEqual(
      calls().map(({ what }) => what.slice(0, 7)),
      ['ADD one', 'ADD two', 'DEL two', 'DEL one'],
    );
  });

  it('lets one failing DEL not keep the others from theirs', async () => {
    plugin('one', 'exit 0');
    plugin('two', 'echo broken >&2; exit 3');
    const both = list('0.3.1', [{ type: 'one' }, { type: 'two' }]);
    await assert.rejects(
      deleteFromNetwork(runner, both, POD, { ips: [] }),
      /two: DEL ended with code 3 without an error object: broken/,
    );
    assert.equal(calls().length, 2);
    assert.equal(calls()[1]!.config['prevResult'], undefined, 'before 0.4.0 DEL has no result');
  });

  for (const [what, script, message] of [
    ['garbage', 'echo hello', /printed what is no JSON: hello/],
    ['nothing', 'exit 0', /result is no JSON object/],
    ['a result without sense', `echo '{"ips":[{"address":"x"}]}'`, /unusable address/],
    ['no end', 'sleep 60 & wait', /took more than 0.3 s and was killed/],
    ['a signal', 'kill -9 $$', /ended with code 137/],
  ] as const)
    it(`makes a clear error of ${what}`, async () => {
      plugin('odd', `[ $CNI_COMMAND = ADD ] || exit 0; ${script}`);
      const quick = new PluginRunner(exits, [join(directory, 'bin')], 300);
      await assert.rejects(addToNetwork(quick, list('1.0.0', [{ type: 'odd' }]), POD, ignore), { message });
    });

  it('kills a plugin with the children that left its process group', async () => {
    const marks = join(directory, 'child');
    const child = `setsid sh -c 'echo $$ > ${marks}; exec sleep 60' & while [ ! -s ${marks} ]; do sleep 0.01; done; sleep 60`;
    plugin('parent', `[ $CNI_COMMAND = ADD ] || exit 0; ${child}`);
    const quick = new PluginRunner(exits, [join(directory, 'bin')], 1500);
    await assert.rejects(addToNetwork(quick, list('1.0.0', [{ type: 'parent' }]), POD, ignore), {
      kind: 'deadline',
    });
    const pid = Number(readFileSync(marks, 'utf8'));
    const state = (): string => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2]!;
      } catch {
        return 'gone';
      }
    };
    for (let tries = 0; !['gone', 'Z'].includes(state()) && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.match(state(), /gone|Z/);
  });

  it('gives a plugin the result before it in the version of the list', async () => {
    plugin(
      'newer',
      `[ $CNI_COMMAND = ADD ] && echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mtu":9,"sandbox":"/n"}],"ips":[{"address":"fd00::9/64","interface":0}]}'; exit 0`,
    );
    plugin(
      'nameless',
      `[ $CNI_COMMAND = ADD ] && echo '{"ips":[{"version":"6","address":"fd00::9/64"}]}'; exit 0`,
    );
    const result = await addToNetwork(
      runner,
      list('0.4.0', [{ type: 'newer' }, { type: 'nameless' }]),
      POD,
      ignore,
    );
    assert.deepEqual(calls()[1]!.config['prevResult'], {
      cniVersion: '0.4.0',
      interfaces: [{ name: 'eth0', sandbox: '/n' }],
      ips: [{ version: '6', address: 'fd00::9/64', interface: 0 }],
      dns: {},
    });
    assert.equal(result['cniVersion'], '0.4.0');
  });

  it('refuses a result of a version before 0.3.0', async () => {
    plugin(
      'old',
      `[ $CNI_COMMAND = ADD ] && echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.2/24"}}'; exit 0`,
    );
    await assert.rejects(addToNetwork(runner, list('1.0.0', [{ type: 'old' }]), POD, ignore), {
      kind: 'internal',
      message: /CNI plugin old: The result is of version "0.2.0", which is none of 0.3.0/,
    });
  });

  it('has what was made kept before an executable goes on with it', async () => {
    plugin('one', RESULT);
    plugin('two', RESULT);
    const kept: unknown[] = [];
    const both = list('1.0.0', [{ type: 'one' }, { type: 'two' }]);
    await addToNetwork(runner, both, POD, ignore, undefined, ({ by }) => {
      kept.push([by, calls().length]);
    });
    assert.deepEqual(kept, [
      ['one', 1],
      ['two', 2],
    ]);
  });

  it('makes a clear error of a missing executable, and of arguments that cannot be said', async () => {
    const missing = list('1.0.0', [{ type: 'nowhere' }]);
    await assert.rejects(addToNetwork(runner, missing, POD, ignore), {
      kind: 'unavailable',
      message: /CNI plugin nowhere: The executable is missing; install it in one of .*bin/,
    });
    const forged = { ...POD, args: { K8S_POD_NAME: 'a;K8S_POD_NAMESPACE=b' } };
    await assert.rejects(addToNetwork(runner, missing, forged, ignore), { kind: 'invalid' });
  });

  it('ends with its caller: the plugin is killed, DEL follows', async () => {
    plugin('slow', `[ $CNI_COMMAND = DEL ] || sleep 60`);
    const abort = new AbortController();
    const added = addToNetwork(runner, list('1.0.0', [{ type: 'slow' }]), POD, ignore, abort.signal);
    while (!existsSync(join(directory, 'log'))) await sleep(10);
    abort.abort();
    await assert.rejects(added, { name: 'AbortError' });
    assert.equal(calls()[1]!.what.slice(0, 8), 'DEL slow');
  });

  it('probes versions, and STATUS from 1.1.0 on', async () => {
    plugin('one', `${VERSIONS}; echo '{"code":50,"msg":"not yet"}'; exit 1`);
    await probeNetwork(runner, list('1.0.0', [{ type: 'one' }]));
    await assert.rejects(
      probeNetwork(runner, list('1.1.0', [{ type: 'one' }])),
      /STATUS failed: code 50: not yet/,
    );
    await assert.rejects(
      probeNetwork(runner, list('0.3.1', [{ type: 'one' }])),
      /does not speak version 0.3.1/,
    );
  });

  it('sends CHECK and GC where the list allows them', async () => {
    plugin('one', 'exit 0');
    const result = { ips: [] };
    const valid = [{ containerID: 'pod1', ifname: 'eth0' }];
    await checkOnNetwork(runner, list('1.0.0', [{ type: 'one' }], { disableCheck: true }), POD, result);
    await collectGarbage(runner, list('1.0.0', [{ type: 'one' }]), valid);
    await collectGarbage(runner, list('1.1.0', [{ type: 'one' }], { disableGC: true }), valid);
    await checkOnNetwork(runner, list('0.4.0', [{ type: 'one' }]), POD, result);
    await collectGarbage(runner, list('1.1.0', [{ type: 'one' }]), valid);
    const seen = calls();
    assert.deepEqual(
      seen.map(({ what }) => what.slice(0, 5)),
      ['CHECK', 'GC on'],
    );
    assert.deepEqual(seen[0]!.config['prevResult'], result);
    assert.deepEqual(seen[1]!.config['cni.dev/valid-attachments'], valid);
  });
});
