import assert from 'node:assert/strict';
import { interfacesOf, parseInterfaces } from './interfaces.ts';
import { CpuRate } from './cpu-rate.ts';
import { LayerWatch } from './layer-usage.ts';
import { UsageWatch } from './usage-watch.ts';

const S = 1_000_000_000n;

describe('CpuRate', () => {
  it('is the mean since the sample before, the first time since the beginning', () => {
    const rate = new CpuRate(10n * S);
    assert.equal(rate.next(20n * S, 5n * S), S / 2n);
    assert.equal(rate.next(30n * S, 25n * S), 2n * S);
    assert.equal(rate.next(40n * S, 25n * S), 0n);
  });

  it('does not take two calls in a row for a window', () => {
    const rate = new CpuRate(0n);
    rate.next(10n * S, 10n * S);
    assert.equal(rate.next(10n * S + 1n, 11n * S), (11n * S * S) / (10n * S + 1n));
    assert.equal(rate.next(10n * S + S / 2n, 10n * S), (10n * S * S) / (10n * S + S / 2n));
  });

  it('is zero when the clock or the cgroup went back', () => {
    const rate = new CpuRate(10n * S);
    assert.equal(rate.next(5n * S, 1n), 0n);
    assert.equal(rate.next(10n * S, 1n), 0n);
    assert.equal(rate.next(20n * S, 5n * S), S / 2n);
    assert.equal(rate.next(30n * S, 1n), 0n);
  });
});

describe('UsageWatch', () => {
  const NOTHING = {
    memoryUsageBytes: 0n,
    workingSetBytes: 0n,
    rssBytes: 0n,
    pageFaults: 0n,
    majorPageFaults: 0n,
  };
  const used = (cpuUsageNs: bigint) => () => ({ ...NOTHING, cpuUsageNs });

  it('tells those who ask in a row the same, with its time, and whoever asks for now what is now', () => {
    const watch = new UsageWatch(0n);
    assert.deepEqual(watch.lately(10n * S, used(5n * S)), {
      atNs: 10n * S,
      usage: { ...NOTHING, cpuUsageNs: 5n * S, cpuNanoCores: S / 2n },
    });
    const soon = watch.lately(10n * S + S / 4n, used(6n * S))!;
    assert.deepEqual([soon.atNs, soon.usage.cpuUsageNs], [10n * S, 5n * S]);
    assert.equal(watch.now(10n * S + S / 4n, used(6n * S))!.usage.cpuUsageNs, 6n * S);
    assert.equal(watch.lately(10n * S + S / 2n, used(7n * S))!.usage.cpuUsageNs, 6n * S);
    assert.equal(watch.lately(10n * S + S, used(7n * S))!.usage.cpuUsageNs, 7n * S);
  });

  it('lets a reading go when nobody asks any more', async () => {
    const watch = new UsageWatch(0n);
    watch.now(10n * S, used(5n));
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal(watch.lately(10n * S, used(6n))!.usage.cpuUsageNs, 6n);
  });

  it('reads again when the clock went back, and has nothing of what is gone', () => {
    const watch = new UsageWatch(0n);
    watch.lately(10n * S, used(5n));
    assert.equal(watch.lately(9n * S, used(6n))!.usage.cpuUsageNs, 6n);
    assert.equal(
      watch.now(9n * S, () => undefined),
      undefined,
    );
    assert.equal(watch.lately(9n * S, used(7n))!.usage.cpuUsageNs, 7n);
  });
});

describe('LayerWatch', () => {
  const usage = (usedBytes: number): { mountpoint: string; usedBytes: number; inodesUsed: number } => ({
    mountpoint: '/l',
    usedBytes,
    inodesUsed: 1,
  });

  it('walks once for callers at the same time, and not again right away', async () => {
    let walks = 0;
    const watch = new LayerWatch(async () => usage(++walks));
    const both = await Promise.all([watch.usage(() => 7n), watch.usage(() => 8n)]);
    assert.deepEqual(both, [
      { ...usage(1), atNs: 7n },
      { ...usage(1), atNs: 7n },
    ]);
    assert.equal((await watch.usage(() => 9n))!.usedBytes, 1);
    assert.equal(walks, 1);
  });

  it('answers without numbers, later with old ones, while a walk hangs', async () => {
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof usage>>();
    const watch = new LayerWatch(() => promise);
    assert.equal(await watch.usage(() => 1n), undefined);
    resolve(usage(5));
    await promise;
    assert.equal((await watch.usage(() => 2n))!.usedBytes, 5);
  });

  it('is nothing when the layer cannot be read', async () => {
    const watch = new LayerWatch(() => Promise.reject(new Error('gone')));
    assert.equal(await watch.usage(() => 1n), undefined);
  });
});

describe('interfaces', () => {
  it('are read from net/dev without loopback and what was cut off', () => {
    const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0
  eth0: 18446744073709551615 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
a:b: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
  net1: 1 2 3`;
    const counters = {
      rxPackets: 2n,
      rxErrors: 3n,
      rxDropped: 4n,
      txBytes: 5n,
      txPackets: 6n,
      txErrors: 7n,
      txDropped: 8n,
    };
    assert.deepEqual(parseInterfaces(text), [
      { name: 'eth0', rxBytes: 2n ** 64n - 1n, ...counters },
      { name: 'a:b', rxBytes: 1n, ...counters },
    ]);
    assert.deepEqual(parseInterfaces(''), []);
  });

  it('are there for any process, and not for one that is gone', () => {
    assert.ok(interfacesOf(process.pid).every(({ name, rxBytes }) => name !== 'lo' && rxBytes >= 0n));
    assert.deepEqual(interfacesOf(2 ** 22 + 1), []);
  });
});
