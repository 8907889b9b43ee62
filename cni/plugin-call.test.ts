import assert from 'node:assert/strict';
import type { Fault } from '../ground/fault.ts';
import { BuiltInPlugins } from './built-in-plugins.ts';
import type { JsonObject } from './config-list.ts';
import { runExecutable } from './executable.ts';
import { PluginError } from './plugin-error.ts';
import type { Plugin, PluginCallInput } from './plugin.ts';
import type { PluginCall, PluginCaller } from './plugin-runner.ts';

const RESULT = {
  interfaces: [{ name: 'eth0', mac: '0a:58:0a:00:00:09', mtu: 1400, sandbox: '/ns' }],
  ips: [{ address: '10.0.0.9/24', gateway: '10.0.0.1', interface: 0 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1', priority: 5 }],
  dns: {},
};
const ENV = { CNI_CONTAINERID: 'pod1', CNI_NETNS: '/ns', CNI_IFNAME: 'eth0', CNI_ARGS: 'A=1;B=x=y' };
const CONFIG = { cniVersion: '1.1.0', name: 'net', type: 'own' };

/** A plugin that notes its calls. */
class Noting implements Plugin {
  readonly type = 'own';
  readonly inputs: PluginCallInput[] = [];
  failure: Error | undefined;
  async add(input: PluginCallInput): Promise<typeof RESULT> {
    this.inputs.push(input);
    if (this.failure !== undefined) throw this.failure;
    if (input.config['ipam'] !== undefined) await input.delegate('ADD', 'ipam', AbortSignal.timeout(1000));
    return RESULT;
  }
  async del(input: PluginCallInput): Promise<void> {
    this.inputs.push(input);
  }
  async check(): Promise<void> {}
}

class Outside implements PluginCaller {
  readonly calls: PluginCall[] = [];
  async call(call: PluginCall): Promise<unknown> {
    this.calls.push(call);
    return { outside: true };
  }
}

describe('CNI plugins as functions', () => {
  const plugin = (): { own: Noting; outside: Outside; callers: BuiltInPlugins } => {
    const [own, outside] = [new Noting(), new Outside()];
    return { own, outside, callers: new BuiltInPlugins([own], outside) };
  };
  const add = (config: JsonObject, env: Record<string, string> = ENV): PluginCall => ({
    verb: 'ADD',
    type: 'own',
    config,
    env,
  });

  it('get what an executable would read, and give what it would print', async () => {
    const { own, callers } = plugin();
    assert.deepEqual(await callers.call(add(CONFIG)), { cniVersion: '1.1.0', ...RESULT });
    const [{ containerId, netns, ifName, args }] = own.inputs as [PluginCallInput];
    assert.deepEqual(
      { containerId, netns, ifName, args },
      { containerId: 'pod1', netns: '/ns', ifName: 'eth0', args: { A: '1', B: 'x=y' } },
    );
  });

  it('speak the versions of the specification', async () => {
    const { own, callers } = plugin();
    assert.deepEqual(await callers.call(add({ ...CONFIG, cniVersion: '0.3.1' })), {
      cniVersion: '0.3.1',
      interfaces: [{ name: 'eth0', mac: '0a:58:0a:00:00:09', sandbox: '/ns' }],
      ips: [{ version: '4', address: '10.0.0.9/24', gateway: '10.0.0.1', interface: 0 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
      dns: {},
    });
    const prevResult = { cniVersion: '0.4.0', ips: [{ version: '6', address: 'fd00::9/64' }] };
    await callers.call({ ...add({ ...CONFIG, cniVersion: '0.4.0', prevResult }), verb: 'DEL' });
    assert.deepEqual(own.inputs[1]?.prevResult, {
      interfaces: [],
      ips: [{ address: 'fd00::9/64' }],
      routes: [],
      dns: {},
    });
    const said = (await callers.call({ ...add(CONFIG), verb: 'VERSION' })) as { supportedVersions: string[] };
    assert.equal(said.supportedVersions.at(-1), '1.1.0');
  });

  it('fail with code and message of the specification', async () => {
    const { own, callers } = plugin();
    const fails = async (call: PluginCall, kind: string, code: number, text: RegExp): Promise<void> => {
      await assert.rejects(callers.call(call), (error: Fault) => {
        assert.ok(error.cause instanceof PluginError);
        assert.equal(error.kind, kind);
        assert.equal(error.cause.code, code);
        assert.match(error.message, text);
        return true;
      });
    };
    await fails(add({ ...CONFIG, cniVersion: '2.0.0' }), 'internal', 1, /incompatible CNI version "2\.0\.0"/);
    await fails(add({ ...CONFIG, name: '../x' }), 'internal', 7, /no network name/);
    await fails(add(CONFIG, { ...ENV, CNI_IFNAME: 'a/b' }), 'internal', 4, /CNI_IFNAME/);
    await fails(add(CONFIG, { ...ENV, CNI_NETNS: '' }), 'internal', 4, /CNI_NETNS/);
    await fails(add(CONFIG, { ...ENV, CNI_ARGS: '=x' }), 'internal', 4, /CNI_ARGS/);
    await fails(add({ ...CONFIG, prevResult: [] }), 'internal', 6, /prevResult/);
    await fails({ ...add(CONFIG), verb: 'GC' }, 'internal', 7, /valid-attachments/);
    own.failure = new PluginError('own', 11, 'busy', 'later');
    await fails(add(CONFIG), 'unavailable', 11, /busy/);
    own.failure = new TypeError('oh');
    await fails(add(CONFIG), 'internal', 100, /oh/);
  });

  it('delegate, and leave to executables what is not theirs', async () => {
    const { outside, callers } = plugin();
    await callers.call(add({ ...CONFIG, ipam: { type: 'ipam' } }));
    assert.deepEqual(
      outside.calls.map(({ verb, type, env }) => [verb, type, env]),
      [['ADD', 'ipam', ENV]],
    );
    await callers.call({ ...add(CONFIG), type: 'other' });
    assert.equal(outside.calls[1]?.type, 'other');
    assert.deepEqual(await callers.call(add({ ...CONFIG, 'berth.exec': true })), { outside: true });
    assert.deepEqual(await new BuiltInPlugins([new Noting()], outside, ['own']).call(add(CONFIG)), {
      outside: true,
    });
  });

  it('serve as executables', async () => {
    const { own, outside } = plugin();
    const run = async (env: Record<string, string>, stdin: string): Promise<[unknown, number]> => {
      const { stdout, code } = await runExecutable('own', [own], outside, env, stdin);
      return [stdout === '' ? '' : JSON.parse(stdout), code];
    };
    const text = JSON.stringify(CONFIG);
    assert.deepEqual(await run({ ...ENV, CNI_COMMAND: 'ADD' }, text), [
      { cniVersion: '1.1.0', ...RESULT },
      0,
    ]);
    assert.deepEqual(await run({ ...ENV, CNI_COMMAND: 'DEL' }, text), ['', 0]);
    const broken = await run({ ...ENV, CNI_COMMAND: 'ADD' }, '{');
    assert.deepEqual(broken, [{ cniVersion: '1.1.0', code: 6, msg: 'stdin holds no JSON object' }, 1]);
    const [unknown, code] = await run({ ...ENV, CNI_COMMAND: 'ODD' }, text);
    assert.equal(code, 1);
    assert.equal((unknown as { code: number }).code, 4);
  });
});
