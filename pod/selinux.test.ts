import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExitWatcher } from '../native/exits.ts';
import { lgetxattr } from '../native/xattr.ts';
import type { SandboxConfig } from './config.ts';
import type { Sandbox } from './sandbox.ts';
import { checkLabelsKnown, labelFile, newPodLevel, policyContexts, relabelMounts } from './selinux.ts';

const LABEL = 'system_u:object_r:container_file_t:s0:c1,c2';
/** A kernel without SELinux keeps what root writes there, as it is. */
const labelOf = (path: string): string | undefined =>
  lgetxattr(path, 'security.selinux')?.toString().replace('\0', '');

describe('SELinux, as far as any kernel shows it', () => {
  let top: string;
  let exits: ExitWatcher;
  before(async () => {
    exits = await ExitWatcher.start();
  });
  after(() => exits.close());
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'berth-selinux-'));
  });
  afterEach(() => rmSync(top, { recursive: true }));

  it('finds the labels of the policy in force', () => {
    assert.throws(() => policyContexts(top), { kind: 'precondition' });
    mkdirSync(join(top, 'strict/contexts'), { recursive: true });
    writeFileSync(join(top, 'config'), 'SELINUX=enforcing\nSELINUXTYPE=strict\n');
    writeFileSync(
      join(top, 'strict/contexts/lxc_contexts'),
      'process = "system_u:system_r:container_t:s0"\nfile = "system_u:object_r:container_file_t:s0"\n',
    );
    assert.equal(policyContexts(top).process, 'system_u:system_r:container_t:s0');
  });

  it('says which label the policy does not know, in the place of an invalid argument', () => {
    checkLabelsKnown([], '/nowhere');
    // A file that answers EINVAL to what is no number, as the kernel's own does to what is no label.
    const check = '/proc/self/oom_score_adj';
    checkLabelsKnown(['0'], check);
    assert.throws(() => checkLabelsKnown(['0', LABEL], check), {
      kind: 'precondition',
      message: /policy does not know the label system_u:object_r:container_file_t:s0:c1,c2/,
    });
  });

  it('gives each pod a level of its own, unless it names one', () => {
    const config = (level: string) =>
      ({ security: { selinux: { user: '', role: '', type: '', level } } }) as unknown as SandboxConfig;
    assert.equal(newPodLevel(config('s0:c5'), [], true), 's0:c5');
    assert.equal(newPodLevel(config('s0:c5'), [], false), undefined);
    const first = newPodLevel(config(''), [], true)!;
    assert.match(first, /^s0:c\d+,c\d+$/);
    const other = { record: { selinuxLevel: first } } as Sandbox;
    assert.notEqual(newPodLevel({ security: {} } as SandboxConfig, [other], true), first);
  });

  it('labels a file, and not what it leads to', () => {
    writeFileSync(join(top, 'file'), '');
    symlinkSync('file', join(top, 'link'));
    labelFile(join(top, 'link'), LABEL);
    assert.equal(labelOf(join(top, 'file')), undefined);
    labelFile(join(top, 'file'), LABEL);
    assert.equal(labelOf(join(top, 'file')), LABEL);
    labelFile('/proc/self/status', LABEL);
  });

  it('refuses to relabel the node itself, and relabels nothing that nobody asked for', async () => {
    const mount = (hostPath: string, selinuxRelabel = true) =>
      ({ hostPath, selinuxRelabel }) as Parameters<typeof relabelMounts>[1]['mounts'][number];
    const relabel = (source: string, wanted = true): Promise<void> =>
      relabelMounts(exits, { mounts: [mount('/asked', wanted)] }, new Map([['/asked', source]]), LABEL);
    for (const path of ['/', '/etc', '/usr', '/var/lib'])
      await assert.rejects(relabel(path), { kind: 'invalid' });
    await relabel('/', false);
    await assert.rejects(relabel(join(top, 'absent')), { kind: 'internal', message: /absent/ });
    mkdirSync(join(top, 'volume/below'), { recursive: true });
    writeFileSync(join(top, 'outside'), '');
    symlinkSync('../outside', join(top, 'volume/link'));
    await relabel(join(top, 'volume'));
    for (const path of ['volume', 'volume/below', 'volume/link'])
      assert.equal(labelOf(join(top, path)), LABEL, path);
    assert.equal(labelOf(join(top, 'outside')), undefined);
  });
});
