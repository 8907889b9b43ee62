import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostnameFile, hostsFile, resolvConf, writePodFiles } from './files.ts';

describe('files of a pod', () => {
  it('writes resolv.conf as the resolver reads it', () => {
    assert.equal(
      resolvConf({
        servers: ['10.96.0.10', 'fd00::a'],
        searches: ['a.svc', 'svc'],
        options: ['ndots:5', 'trust-ad'],
      }),
      'nameserver 10.96.0.10\nnameserver fd00::a\nsearch a.svc svc\noptions ndots:5 trust-ad\n',
    );
    assert.equal(resolvConf({ servers: [], searches: [], options: [] }), '');
  });

  it('lets no entry become a second line or a second word', () => {
    for (const bad of ['10.0.0.1\nnameserver 6.6.6.6', 'a b', '', 'a\0', '\u2028'])
      assert.throws(() => resolvConf({ servers: [bad], searches: [], options: [] }), { kind: 'invalid' });
    assert.throws(() => hostnameFile('a\nb'), { kind: 'invalid' });
    assert.throws(() => hostnameFile('x'.repeat(65)), { kind: 'invalid' });
    assert.throws(() => hostsFile('web', ['10.0.0.1\n6.6.6.6 bank']), { kind: 'invalid' });
  });

  it('writes them into a directory, the node’s resolver when the pod brings none', () => {
    const directory = mkdtempSync(join(tmpdir(), 'berth-files-'));
    try {
      const paths = writePodFiles(directory, { hostname: 'web', addresses: ['10.4.0.2'] });
      assert.equal(readFileSync(paths.hostname!, 'utf8'), 'web\n');
      assert.match(readFileSync(paths.hosts!, 'utf8'), /^10\.4\.0\.2\tweb$/m);
      assert.deepEqual(readFileSync(paths.resolvConf!), readFileSync('/etc/resolv.conf'));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
