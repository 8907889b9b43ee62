import assert from 'node:assert/strict';
import { CAPABILITIES, DEFAULT_CAPABILITIES, capabilities, capabilitiesOfMask } from './capabilities.ts';

const request = { privileged: false, add: [], drop: [], addAmbient: [], bounding: [...CAPABILITIES] };

describe('capabilities', () => {
  it('gives the default set in the order of the kernel, nothing inheritable', () => {
    const sets = capabilities(request, []);
    assert.deepEqual(new Set(sets.bounding), new Set(DEFAULT_CAPABILITIES));
    assert.deepEqual(sets.effective, sets.bounding);
    assert.deepEqual(sets.permitted, sets.bounding);
    assert.deepEqual(sets.inheritable, []);
    assert.deepEqual(sets.ambient, []);
  });

  it('takes names with and without the prefix, in any case', () => {
    const sets = capabilities(
      { ...request, add: ['CAP_SYS_TIME', 'net_admin'], drop: ['CHOWN', 'cap_kill'] },
      [],
    );
    assert.ok(sets.bounding.includes('CAP_SYS_TIME') && sets.bounding.includes('CAP_NET_ADMIN'));
    assert.ok(!sets.bounding.includes('CAP_CHOWN') && !sets.bounding.includes('CAP_KILL'));
  });

  it('understands ALL on both sides', () => {
    assert.deepEqual(capabilities({ ...request, drop: ['ALL'], add: ['CHOWN'] }, []).bounding, ['CAP_CHOWN']);
    assert.equal(
      capabilities({ ...request, add: ['ALL'], drop: ['CHOWN'] }, []).bounding.length,
      CAPABILITIES.length - 1,
    );
    assert.deepEqual(capabilities({ ...request, add: ['ALL'], drop: ['ALL'] }, []).bounding, []);
  });

  it('makes ambient capabilities inheritable', () => {
    const sets = capabilities({ ...request, drop: ['ALL'], addAmbient: ['NET_BIND_SERVICE'] }, []);
    for (const set of Object.values(sets)) assert.deepEqual(set, ['CAP_NET_BIND_SERVICE']);
  });

  it('never gives more than the daemon has, and says what is missing', () => {
    const notes: string[] = [];
    const bounding = CAPABILITIES.filter((name) => name !== 'CAP_SYS_RESOURCE');
    const sets = capabilities({ ...request, privileged: true, bounding }, notes);
    assert.deepEqual(sets.bounding, bounding);
    assert.match(notes[0]!, /CAP_SYS_RESOURCE/);
    assert.throws(() => capabilities({ ...request, add: ['SYS_RESOURCE'], bounding }, []), {
      kind: 'permission',
    });
  });

  it('refuses unknown names', () => {
    assert.throws(() => capabilities({ ...request, add: ['FLY'] }, []), { kind: 'invalid' });
    assert.throws(() => capabilities({ ...request, drop: ['CAP_FLY'] }, []), { kind: 'invalid' });
    assert.throws(() => capabilities({ ...request, addAmbient: ['ALL'] }, []), { kind: 'invalid' });
  });

  it('reads the mask of /proc', () => {
    assert.deepEqual(capabilitiesOfMask('0000000000000021'), ['CAP_CHOWN', 'CAP_KILL']);
    assert.equal(capabilitiesOfMask('000001ffffffffff').length, CAPABILITIES.length);
  });
});
