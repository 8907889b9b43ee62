import assert from 'node:assert/strict';
import { generateSpec } from '../spec/generate.ts';
import { sampleInput } from '../spec/sample-input.ts';
import { withoutScopeTasksMax } from './scope-tasks.ts';

const PROPERTY = 'org.systemd.property.TasksMax';

describe('the limit of tasks of a scope', () => {
  it("is none, unless the container's own limit is the scope's", () => {
    const { spec } = generateSpec(sampleInput());
    for (const below of [true, false])
      assert.equal(withoutScopeTasksMax(spec, below).annotations[PROPERTY], 'uint64 18446744073709551615');
    assert.equal(spec.annotations[PROPERTY], undefined);
    const { resources } = spec.linux;
    const limited = {
      ...spec,
      linux: { ...spec.linux, resources: { ...resources, unified: { 'pids.max': '77' } } },
    };
    assert.equal(withoutScopeTasksMax(limited, false).annotations[PROPERTY], undefined);
    assert.equal(withoutScopeTasksMax(limited, true).annotations[PROPERTY], 'uint64 18446744073709551615');
  });
});
