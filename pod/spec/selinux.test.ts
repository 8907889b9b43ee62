import assert from 'node:assert/strict';
import { checkSelinuxOptions, freeLevel, parseLxcContexts, selinuxLabels } from './selinux.ts';

const CONTEXTS = {
  process: 'system_u:system_r:container_t:s0',
  file: 'system_u:object_r:container_file_t:s0',
};
const options = (changes: object = {}) => ({ user: '', role: '', type: '', level: '', ...changes });

describe('SELinux labels', () => {
  const labels: [what: string, asked: object | undefined, process: string, file: string][] = [
    [
      'are the policy’s with the pod’s level',
      undefined,
      'system_u:system_r:container_t:s0:c1,c2',
      'system_u:object_r:container_file_t:s0:c1,c2',
    ],
    [
      'take a level alone, for the files too',
      { level: 's0:c7,c8' },
      'system_u:system_r:container_t:s0:c7,c8',
      'system_u:object_r:container_file_t:s0:c7,c8',
    ],
    [
      'take a type alone, for the process',
      { type: 'spc_t' },
      'system_u:system_r:spc_t:s0:c1,c2',
      'system_u:object_r:container_file_t:s0:c1,c2',
    ],
    [
      'take all four',
      { user: 'u', role: 'r', type: 't', level: 's0-s15:c0.c1023' },
      'u:r:t:s0-s15:c0.c1023',
      'u:object_r:container_file_t:s0-s15:c0.c1023',
    ],
  ];
  for (const [what, asked, process, file] of labels)
    it(what, () => {
      const given = asked === undefined ? undefined : options(asked);
      assert.deepEqual(selinuxLabels(CONTEXTS, given, 's0:c1,c2'), { process, file });
    });

  it('are refused when a part cannot be one', () => {
    for (const level of ['', 's0', 's15', 's0-s3', 's0:c1', 's0:c1,c2', 's0:c0.c1023', 's1-s2:c1.c3,c5'])
      checkSelinuxOptions(options({ level }));
    for (const level of ['c1', 's', 's0:', 's0:1', 's0,c1', 'high', 's0:c1 ', 's0:c10000', 's100', 's0\n'])
      assert.throws(
        () => checkSelinuxOptions(options({ level })),
        { kind: 'invalid', message: /level/ },
        level,
      );
    for (const part of ['user', 'role', 'type'])
      for (const bad of ['a:b', 'a b', 'a\n', 'ä'])
        assert.throws(() => checkSelinuxOptions(options({ [part]: bad })), { message: new RegExp(part) });
  });

  it('of pods without a level of their own differ', () => {
    const taken = new Set<string>();
    for (let pod = 0; pod < 300; pod++) {
      const level = freeLevel(taken, () => 7);
      assert.match(level, /^s0:c(\d+),c(\d+)$/);
      const [low, high] = level.match(/\d+/g)!.slice(1).map(Number);
      assert.ok(low! < high! && high! < 1024, level);
      taken.add(level);
    }
    assert.equal(taken.size, 300);
    assert.equal(
      freeLevel(new Set(), (below) => below - 1),
      's0:c1022,c1023',
    );
    assert.equal(
      freeLevel(new Set(), () => 0),
      's0:c0,c1',
    );
  });

  it('come from the policy', () => {
    const text =
      'process = "system_u:system_r:container_t:s0"\ncontent = "x"\nfile = "system_u:object_r:container_file_t:s0"\n';
    assert.deepEqual(parseLxcContexts(text), CONTEXTS);
    assert.equal(parseLxcContexts('process = "x:y:z:s0"\n'), undefined);
  });
});
