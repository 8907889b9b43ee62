import assert from 'node:assert/strict';
import { placeIn, placeOfContainer, podOfContainer } from './scope.ts';

const POD = '/kubepods.slice/kubepods-pod1.slice';
const SCOPE = `${POD}/berth-c1.scope`;

describe('the place of a container below its scope', () => {
  it('is where its first process is, as long as that is below', () => {
    assert.equal(placeIn(SCOPE, `0::${SCOPE}/container\n`), `${SCOPE}/container`);
    assert.equal(placeIn(SCOPE, `0::${SCOPE}\n`), SCOPE);
    assert.equal(placeIn(SCOPE, `0::${SCOPE}x/container\n`), SCOPE);
    assert.equal(placeIn(SCOPE, '0::/\n'), SCOPE);
    assert.equal(placeIn('/pod1/c1', '3:memory:/pod1/c1/below\n'), '/pod1/c1');
  });

  it('is the scope when the process is gone, and on v1', () => {
    assert.equal(placeOfContainer(SCOPE, 2 ** 30, { version: 2, trees: [] }), SCOPE);
    assert.equal(placeOfContainer('/', process.pid, { version: 1, trees: [], controllers: new Map() }), '/');
  });

  it('tells the pod, with a cgroup below the scope or without', () => {
    assert.equal(podOfContainer(`${SCOPE}/container`), POD);
    assert.equal(podOfContainer(SCOPE), POD);
    assert.equal(podOfContainer('/kubepods/pod1/c1'), '/kubepods/pod1');
  });
});
