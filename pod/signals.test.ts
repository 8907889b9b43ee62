import assert from 'node:assert/strict';
import { resolveStopSignal, signalName } from './signals.ts';

describe('resolveStopSignal', () => {
  it('takes the caller before the image, and TERM at last', () => {
    assert.equal(resolveStopSignal('SIGINT', 'SIGQUIT'), 2);
    assert.equal(resolveStopSignal('', 'SIGQUIT'), 3);
    assert.equal(resolveStopSignal('RUNTIME_DEFAULT', 'SIGQUIT'), 3);
    assert.equal(resolveStopSignal('', ''), 15);
  });

  it('reads every spelling', () => {
    for (const [text, number] of [
      ['TERM', 15],
      ['sigterm', 15],
      ['15', 15],
      ['SIGRTMIN', 34],
      ['SIGRTMIN+3', 37],
      ['SIGRTMINPLUS3', 37],
      ['SIGRTMAXMINUS2', 62],
      ['RTMAX-2', 62],
      ['SIGRTMAX', 64],
    ] as const)
      assert.equal(resolveStopSignal('', text), number, text);
  });

  it('refuses what is no signal, and says whose it is', () => {
    for (const bad of ['SIGFOO', '0', '65', '-1', 'RTMIN+99', 'TERM; rm'])
      assert.throws(() => resolveStopSignal('', bad), { kind: 'invalid', message: /image/ });
    assert.throws(() => resolveStopSignal('SIGFOO', ''), { kind: 'invalid', message: /container/ });
  });
});

describe('signalName', () => {
  it('spells all signals so that they are read back', () => {
    assert.equal(signalName(15), 'SIGTERM');
    assert.equal(signalName(37), 'SIGRTMINPLUS3');
    assert.equal(signalName(62), 'SIGRTMAXMINUS2');
    for (let signal = 1; signal <= 64; signal++) {
      if (signal === 32 || signal === 33) continue;
      assert.equal(resolveStopSignal(signalName(signal), ''), signal);
    }
  });
});
