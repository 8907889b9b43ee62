import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { sleep } from '../ground/wait.ts';
import { Rest } from './rest.ts';

describe('Rest', () => {
  it('releases once after the quiet time, and again after work', async () => {
    let times = 0;
    const rest = new Rest(() => times++, 30);
    for (let i = 0; i < 6; i++) {
      await sleep(10);
      rest.postpone();
    }
    assert.equal(times, 0, 'work goes on');
    await sleep(90);
    assert.equal(times, 1);
    rest.postpone();
    await sleep(90);
    assert.equal(times, 2);
    rest.close();
  });

  it('is silent after its end', async () => {
    const rest = new Rest(() => assert.fail('released'), 5);
    rest.close();
    await sleep(20);
  });
});
