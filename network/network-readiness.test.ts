import assert from 'node:assert/strict';
import { type ConfigList, parseConfigList } from '../cni/config-list.ts';
import type { PluginCaller } from '../cni/plugin-runner.ts';
import { NetworkReadiness } from './network-readiness.ts';

describe('the readiness of a network', () => {
  let failure: string | undefined;
  const plugins: PluginCaller = {
    async call({ verb }) {
      if (verb === 'VERSION') return { supportedVersions: ['1.1.0'] };
      if (failure !== undefined) throw new Error(failure);
      return undefined;
    },
  };
  const list = (name: string, mtu = 1500): ConfigList =>
    parseConfigList(
      JSON.stringify({ cniVersion: '1.1.0', name, plugins: [{ type: 'x', mtu }] }),
      'x.conflist',
    );
  beforeEach(() => (failure = undefined));
  const probe = async (readiness: NetworkReadiness, of: ConfigList, times: number): Promise<boolean> => {
    for (let i = 0; i < times; i++) await readiness.probe(of);
    return readiness.ready;
  };

  it('begins with the first success', async () => {
    failure = 'not yet';
    const readiness = new NetworkReadiness(plugins);
    assert.equal(await probe(readiness, list('a'), 1), false);
    assert.match(readiness.message, /not yet/);
    failure = undefined;
    assert.equal(await probe(readiness, list('a'), 1), true);
    assert.deepEqual([readiness.sound, readiness.message], [true, '']);
  });

  it('outlives any number of failures within the grace, and is watched closely meanwhile', async () => {
    const [readiness, one] = [new NetworkReadiness(plugins), list('a')];
    await readiness.probe(one);
    failure = 'restarting';
    assert.equal(await probe(readiness, one, 50), true);
    assert.equal(readiness.sound, false);
    failure = undefined;
    await readiness.probe(one);
    assert.equal(readiness.sound, true);
  });

  it('ends when failures last, not with a single one after long silence', async () => {
    const [readiness, one] = [new NetworkReadiness(plugins, 0), list('a')];
    await readiness.probe(one);
    failure = 'gone';
    assert.equal(await probe(readiness, one, 2), true);
    assert.equal(await probe(readiness, one, 1), false);
  });

  it('goes on when the settings of the same network change, and begins anew with another one', async () => {
    const readiness = new NetworkReadiness(plugins);
    await readiness.probe(list('a'));
    failure = 'restarting';
    assert.equal(await probe(readiness, list('a', 1400), 1), true);
    assert.equal(await probe(readiness, list('b'), 1), false);
  });
});
