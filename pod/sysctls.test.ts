import assert from 'node:assert/strict';
import { checkSysctls } from './sysctls.ts';

const own = { net: true, ipc: true };

describe('checkSysctls', () => {
  it('lets the settings of own namespaces through', () => {
    checkSysctls(
      {
        'net.core.somaxconn': '1024',
        'net/ipv4/conf/eth0.100/rp_filter': '0',
        'kernel.shm_rmid_forced': '1',
        'kernel.msgmax': '8192',
        'kernel.sem': '250 32000 32 128',
        'fs.mqueue.msg_max': '100',
        'kernel.domainname': 'example.org',
      },
      own,
    );
  });

  it('refuses settings of the whole node and names them', () => {
    for (const name of [
      'kernel.panic',
      'vm.swappiness',
      'fs.file-max',
      'kernel.shm_next_id',
      'kernel.hostname',
    ])
      assert.throws(
        () => checkSysctls({ [name]: '1' }, own),
        { kind: 'invalid', message: /whole node/ },
        name,
      );
  });

  it('refuses settings of a namespace that is the node’s', () => {
    assert.throws(
      () => checkSysctls({ 'net.core.somaxconn': '1' }, { ...own, net: false }),
      /network namespace/,
    );
    assert.throws(() => checkSysctls({ 'kernel.sem': '1' }, { ...own, ipc: false }), /IPC namespace/);
  });

  it('refuses names that lead elsewhere in /proc/sys, and values of several lines', () => {
    for (const name of [
      'net/../kernel/panic',
      'net..core',
      'net.',
      'net',
      'net.core.\0',
      'NET.core.x',
      'net./../kernel/panic',
    ])
      assert.throws(() => checkSysctls({ [name]: '1' }, own), { kind: 'invalid' }, name);
    assert.throws(() => checkSysctls({ 'net.core.somaxconn': '1\n2' }, own), { kind: 'invalid' });
  });
});
