import assert from 'node:assert/strict';
import { SecondTries, type Outcome } from './second-tries.ts';

const bad: Outcome = { passed: 4, failed: 1, output: 'why' };
const good: Outcome = { passed: 5, failed: 0, output: '' };

describe('second tries', () => {
  const settle = async (outcomes: Outcome[]) => {
    const tries = new SecondTries();
    const tried: number[] = [];
    const counted: Outcome[] = [];
    for (const [index, outcome] of outcomes.entries())
      tries.add(`suite ${index}`, bad, () => {
        tried.push(index);
        return Promise.resolve(outcome);
      });
    const unstable = await tries.settle(async (_, work) => {
      counted.push(await work());
      return counted.at(-1)!;
    });
    return { unstable, tried, failed: counted.reduce((sum, { failed }) => sum + failed, 0) };
  };

  it('name what passes alone, and count what fails twice', async () => {
    assert.deepEqual(await settle([good, bad]), { unstable: ['suite 0'], tried: [0, 1], failed: 1 });
  });

  it('are not given to many suites: all of them failed', async () => {
    assert.deepEqual(await settle([good, good, good, good]), { unstable: [], tried: [], failed: 4 });
  });
});
