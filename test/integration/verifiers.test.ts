import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { processAlive, processStartTime } from '../../native/pidfd.ts';
import { buildImage } from '../image-builder.ts';
import { ImageStore, until } from '../image-store.ts';
import { startScriptedRegistry, type ScriptedRegistry } from '../scripted-registry.ts';

describe('verifiers of images', () => {
  const store = ImageStore.use();
  const image = buildImage({ layers: [{ files: [{ path: 'a', content: 'a' }] }] });
  let registry: ScriptedRegistry;

  beforeEach(async () => {
    registry = await startScriptedRegistry({ 'x:1': image, 'y:1': image });
    mkdirSync(store.path('verifiers'));
    await store.reopen({ verifierDir: store.path('verifiers'), verifierTimeoutMs: 1000 });
  });
  afterEach(() => registry.stop());

  const write = (name: string, script: string): void => {
    writeFileSync(store.path('verifiers', name), `#!/bin/sh\n${script}\n`);
    chmodSync(store.path('verifiers', name), 0o755);
  };
  const pull = (name = 'x:1', signal?: AbortSignal): Promise<{ id: string }> =>
    store.images.pull(`${registry.address}/${name}`, signal === undefined ? {} : { signal });
  const refuses = (pattern: RegExp, name?: string): Promise<void> =>
    store.refuses(
      pull(name),
      'permission',
      new RegExp(`resolve: SignatureValidationFailed: .*${pattern.source}`),
    );

  it('get name, digest and descriptor, and say yes by their exit', async () => {
    const said = store.path('said');
    write('one', `printf '%s\\n' "$@" > ${said}; cat >> ${said}; echo fine`);
    write('two', 'exit 0');
    assert.equal((await pull()).id, image.imageIds[0]);
    const { digest, mediaType, bytes } = image.top;
    assert.equal(
      readFileSync(said, 'utf8'),
      `-name\n${registry.address}/x:1\n-digest\n${digest}\n-stdin-media-type\n` +
        `application/vnd.oci.descriptor.v1+json\n${JSON.stringify({ mediaType, digest, size: bytes.length })}`,
    );
  });

  it('refuse before a byte of the image is fetched, and say why', async () => {
    write('one', 'exit 0');
    write('two', `printf 'no signature\\n\\033[31mof ours'; exit 3`);
    await refuses(/the verifier two refuses 127.*x:1 \(exit 3\): no signature \[31mof ours$/);
    assert.ok(
      registry.requests.every((line) => line.includes('/manifests/')),
      String(registry.requests),
    );
    assert.deepEqual([store.images.list(), store.onDisk().layers], [[], 0]);
  });

  it('are asked for each name, also of an image that is here', async () => {
    write('one', 'case "$2" in */y:1) exit 1;; esac');
    const { id } = await pull();
    await refuses(/refuses 127.*y:1/, 'y:1');
    assert.deepEqual(store.images.find(id)!.repoTags, [`${registry.address}/x:1`]);
    write('one', 'exit 1');
    await refuses(/refuses 127.*x:1/);
    assert.equal(store.images.find(`${registry.address}/x:1`)?.id, id);
  });

  it('that say nothing in time are ended with all that they started', async () => {
    const pids = store.path('pids');
    write('slow', `setsid sh -c 'echo $$ >> ${pids}; sleep 1000' & echo $$ >> ${pids}; sleep 1000`);
    await refuses(/the verifier slow did not answer within 1000 ms/);
    for (const pid of readFileSync(pids, 'utf8').trim().split('\n').map(Number)) {
      await until(`${pid} to end`, () => !processAlive(pid, processStartTime(pid) ?? -1n));
    }
    assert.equal(readFileSync(pids, 'utf8').trim().split('\n').length, 2);
  });

  it('end with the caller, and what they leave behind ends with them', async () => {
    const pids = store.path('pids');
    write('slow', `echo $$ > ${pids}; sleep 1000`);
    const leave = new AbortController();
    const pulled = pull('x:1', leave.signal);
    await until('the verifier to run', () => existsSync(pids) && readFileSync(pids, 'utf8') !== '');
    leave.abort();
    await assert.rejects(pulled, /caller went away/);
    const pid = Number(readFileSync(pids, 'utf8'));
    await until('the verifier to end', () => !processAlive(pid, processStartTime(pid) ?? -1n));
    write('slow', `setsid sleep 1000 & echo $! > ${pids}; exit 0`);
    await pull();
    const left = Number(readFileSync(pids, 'utf8'));
    await until('what it left to end', () => !processAlive(left, processStartTime(left) ?? -1n));
  });

  it('may talk without end', async () => {
    write('loud', 'yes | head -c 50000000; yes | head -c 50000000 >&2; exit 1');
    await store.reopen({ verifierDir: store.path('verifiers'), verifierTimeoutMs: 20_000 });
    await assert.rejects(pull(), (error: Error) => error.message.length < 1000);
  });

  it('refuse by not being there, not running, or being too many', async () => {
    await refuses(/verifiers is empty/);
    writeFileSync(store.path('verifiers/one'), 'not executable');
    await refuses(/the verifier one cannot be started.*EACCES/);
    rmSync(store.path('verifiers/one'));
    symlinkSync('/absent', store.path('verifiers/one'));
    await refuses(/the verifier one cannot be started.*ENOENT/);
    rmSync(store.path('verifiers/one'));
    write('one', 'kill -9 $$');
    await refuses(/the verifier one refuses .*\(exit 137\)/);
    write('one', 'exit 0');
    write('.hidden', 'exit 1');
    mkdirSync(store.path('verifiers/keys'));
    await pull();
    for (let i = 0; i < 10; i++) write(`v${i}`, 'exit 0');
    await refuses(/holds 11 verifiers, more than 10/);
    rmSync(store.path('verifiers'), { recursive: true });
    await refuses(/directory cannot be read.*ENOENT/);
  });

  it('of a daemon that died are ended by the next one', async () => {
    const pids = store.path('pids');
    write('slow', `setsid sleep 1000 & echo $! > ${pids}; sleep 1000`);
    await store.reopen({ verifierDir: store.path('verifiers'), verifierTimeoutMs: 600_000 });
    const leave = new AbortController();
    const pulled = pull('x:1', leave.signal).catch(() => {});
    await until('the verifier to run', () => existsSync(pids) && readFileSync(pids, 'utf8') !== '');
    const pid = Number(readFileSync(pids, 'utf8'));
    const next = await store.open({ verifierDir: store.path('verifiers') });
    await until('it to end', () => !processAlive(pid, processStartTime(pid) ?? -1n));
    leave.abort();
    await pulled;
    await next.close();
  });
});
