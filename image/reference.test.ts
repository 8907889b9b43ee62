import assert from 'node:assert/strict';
import { Fault } from '../ground/fault.ts';
import { fullName, parseReference } from './reference.ts';

const HEX = 'a'.repeat(64);

describe('parseReference', () => {
  const read: [string, string][] = [
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    ['localhost/x', 'localhost/x:latest'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
    ['host:5000/a/b/c:v1', 'host:5000/a/b/c:v1'],
    ['127.0.0.1:5000/a:1', '127.0.0.1:5000/a:1'],
    ['[::1]:5000/a:1', '[::1]:5000/a:1'],
    ['[::1]/a:1', '[::1]/a:1'],
    ['HOST/a', 'HOST/a:latest'],
    ['a__b/c--d.e_f', 'docker.io/a__b/c--d.e_f:latest'],
    [`busybox@sha256:${HEX}`, `docker.io/library/busybox@sha256:${HEX}`],
    [`busybox:1@sha256:${HEX}`, `docker.io/library/busybox@sha256:${HEX}`],
    [`host:1/x:2@sha256:${HEX}`, `host:1/x@sha256:${HEX}`],
    ['x:UPPER_tag.1-2', 'docker.io/library/x:UPPER_tag.1-2'],
  ];
  for (const [text, expected] of read) {
    it(`reads ${text}`, () => assert.equal(fullName(parseReference(text)), expected));
  }

  const refused = [
    '',
    ' ',
    'Busybox',
    'user/App',
    'host:5000/App',
    'busybox:',
    'busybox:bad tag',
    `busybox:${'t'.repeat(129)}`,
    'busybox@sha256:abc',
    `busybox@md5:${HEX}`,
    `busybox@sha256:${HEX}@sha256:${HEX}`,
    HEX,
    '/busybox',
    'busybox/',
    'a//b',
    'a..b',
    '-a',
    'host:port/x',
    'host:5000/',
    'ho_st.x/a',
    'a\nb',
    '../x',
    `${'a/'.repeat(130)}b`,
    'https://host/x',
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () =>
      assert.throws(
        () => parseReference(text),
        (error) => error instanceof Fault && error.kind === 'invalid',
      ));
  }
});
