import assert from 'node:assert/strict';
import { generateSpec } from './generate.ts';
import type { ApparmorFacts } from './input.ts';
import { sampleInput } from './sample-input.ts';

describe('AppArmor in a specification', () => {
  it("confines by Berth's own AppArmor profile whoever asks for RuntimeDefault or nothing, where there is AppArmor", () => {
    const none = { available: true, loaded: new Set<string>(), noDefault: 'no parser' };
    const here = { available: true, loaded: new Set(['berth-default']) };
    const specOf = (type: 'runtime-default' | 'unconfined' | undefined, apparmor: ApparmorFacts) =>
      generateSpec(
        sampleInput({
          security: type === undefined ? {} : { apparmor: { type, localhostRef: '' } },
          input: { apparmor },
        }),
      );
    for (const type of ['runtime-default', undefined] as const) {
      assert.equal(specOf(type, here).spec.process.apparmorProfile, 'berth-default');
      assert.equal(
        specOf(type, { available: false, loaded: new Set() }).spec.process.apparmorProfile,
        undefined,
      );
    }
    assert.equal(specOf('unconfined', here).spec.process.apparmorProfile, undefined);
    assert.throws(() => specOf('runtime-default', none), { kind: 'precondition', hint: 'no parser' });
    const { spec, notes } = specOf(undefined, none);
    assert.equal(spec.process.apparmorProfile, undefined);
    assert.match(notes.join(), /berth-default is not loaded.*no parser/);
  });
});
