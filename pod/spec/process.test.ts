import assert from 'node:assert/strict';
import { commandLine, processOf } from './process.ts';
import { sampleInput } from './sample-input.ts';

const image = { entrypoint: ['/entry', '-x'], cmd: ['serve'] };

describe('commandLine', () => {
  it('follows the table of Kubernetes', () => {
    assert.deepEqual(commandLine({ command: [], args: [] }, image), ['/entry', '-x', 'serve']);
    assert.deepEqual(commandLine({ command: ['/c'], args: [] }, image), ['/c']);
    assert.deepEqual(commandLine({ command: [], args: ['a'] }, image), ['/entry', '-x', 'a']);
    assert.deepEqual(commandLine({ command: ['/c'], args: ['a'] }, image), ['/c', 'a']);
    assert.deepEqual(commandLine({ command: [], args: [] }, { entrypoint: [], cmd: ['sh'] }), ['sh']);
  });

  it('takes an entrypoint of one empty word for none', () => {
    assert.deepEqual(commandLine({ command: [], args: [] }, { entrypoint: [''], cmd: ['sh'] }), ['sh']);
  });

  it('refuses to run nothing, and words with NUL', () => {
    assert.throws(() => commandLine({ command: [], args: [] }, { entrypoint: [], cmd: [] }), {
      kind: 'invalid',
    });
    assert.throws(() => commandLine({ command: ['a', 'b\0'], args: [] }, image), { kind: 'invalid' });
  });
});

describe('processOf', () => {
  it('takes the working directory from the container, then the image, then the root', () => {
    const cwd = (workingDir: string, imageDir: string): string => {
      const input = sampleInput({ container: { workingDir } });
      return processOf({ ...input, image: { ...input.image, workingDir: imageDir } }, []).cwd;
    };
    assert.equal(cwd('/c', '/i'), '/c');
    assert.equal(cwd('', '/i'), '/i');
    assert.equal(cwd('', 'app'), '/app');
    assert.equal(cwd('', ''), '/');
    assert.throws(() => cwd('relative', ''), { kind: 'invalid' });
    assert.throws(() => cwd('/a\0', ''), { kind: 'invalid' });
  });

  it('raises an oom score that the daemon may not give', () => {
    const notes: string[] = [];
    const resources = {
      cpuPeriod: 0,
      cpuQuota: 0,
      cpuShares: 0,
      memoryLimitInBytes: 0,
      memorySwapLimitInBytes: 0,
      oomScoreAdj: -997,
      cpusetCpus: '',
      cpusetMems: '',
      hugepageLimits: [],
      unified: {},
    };
    assert.equal(processOf(sampleInput({ container: { resources } }), notes).oomScoreAdj, 0);
    assert.match(notes.at(-1)!, /-997 raised to 0/);
    assert.equal(
      processOf(sampleInput({ container: { resources }, node: { minOomScoreAdj: -1000 } }), []).oomScoreAdj,
      -997,
    );
    assert.throws(
      () => processOf(sampleInput({ container: { resources: { ...resources, oomScoreAdj: 1001 } } }), []),
      {
        kind: 'invalid',
      },
    );
  });
});
