import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { exitReason } from './container-exit.ts';
import type { ContainerConfig } from './config.ts';
import { Directory, newId } from './directory.ts';
import { missingMountSource } from './mount-sources.ts';
import { lastRuntimeError } from './oci-runtime.ts';
import { hasLabels } from './sandbox-view.ts';

describe('Directory', () => {
  it('finds by id and by unambiguous prefix', () => {
    const directory = new Directory<{ id: string }>('container');
    const one = { id: `aa${newId().slice(2)}` };
    const two = { id: `ab${newId().slice(2)}` };
    directory.add(one);
    directory.add(two);
    assert.equal(directory.find(one.id), one);
    assert.equal(directory.find('ab'), two);
    assert.throws(() => directory.find('a'), /Fault: The id prefix a fits 2 container ids/);
    assert.throws(
      () => directory.find('c'),
      (error: { kind?: string }) => error.kind === 'not-found',
    );
    assert.throws(() => directory.find(''), /is empty/);
    directory.delete(one.id);
    assert.equal(directory.lookup(one.id), undefined);
  });
});

describe('exitReason', () => {
  for (const [code, oom, reason] of [
    [0, false, 'Completed'],
    [7, false, 'Error'],
    [137, false, 'Error'],
    [137, true, 'OOMKilled'],
    [1, true, 'OOMKilled'],
    [0, true, 'Completed'],
    [255, false, 'Error'],
  ] as const) {
    it(`${code}${oom ? ' with an OOM kill' : ''} is ${reason}`, () =>
      assert.equal(exitReason(code, oom), reason));
  }
});

describe('lastRuntimeError', () => {
  it('takes the last error of a JSON log', () => {
    const log =
      '{"msg":"a warning","level":"warning"}\n{"msg":"first","level":"error"}\n{"msg":"last","level":"error"}\n';
    assert.equal(lastRuntimeError(log), 'last');
  });
  it('takes plain text as it is, and nothing for an empty log', () => {
    assert.equal(lastRuntimeError('panic: no\n'), 'panic: no');
    assert.equal(lastRuntimeError(''), undefined);
  });
});

describe('missingMountSource', () => {
  const config = {
    mounts: [{ hostPath: '/srv/data', containerPath: '/data' }],
  } as unknown as ContainerConfig;
  it("recognises both runtimes' words", () => {
    for (const words of [
      'crun create failed: cannot stat `/srv/data`: No such file or directory',
      'runc create failed: error mounting "/srv/data" to rootfs at "/data": stat /srv/data: no such file or directory',
    ]) {
      assert.match(
        missingMountSource(config, new Error(words))!.message,
        /The source \/srv\/data of the mount at \/data does not exist/,
      );
    }
  });
  it('leaves other failures alone', () => {
    assert.equal(missingMountSource(config, new Error('exec: No such file or directory')), undefined);
    assert.equal(missingMountSource(config, new Error('/srv/data: permission denied')), undefined);
  });
});

describe('hasLabels', () => {
  it('wants every pair', () => {
    assert.equal(hasLabels({ a: '1', b: '2' }, { a: '1' }), true);
    assert.equal(hasLabels({ a: '1' }, { a: '1', b: '2' }), false);
    assert.equal(hasLabels({}, {}), true);
  });
});
