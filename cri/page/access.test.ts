import assert from 'node:assert/strict';
import { pageIsServed, refusalOf } from './access.ts';

describe('access to the page', () => {
  it('is given on the loopback, elsewhere only when the configuration says so', () => {
    for (const listen of ['127.0.0.1:9464', '127.1.2.3:9464', '[::1]:9464']) {
      assert.equal(pageIsServed('loopback', listen), true, listen);
      assert.equal(pageIsServed('off', listen), false, listen);
    }
    for (const listen of ['0.0.0.0:9464', '10.0.0.7:9464', '[::]:9464', '[fd00::1]:9464']) {
      assert.equal(pageIsServed('loopback', listen), false, listen);
      assert.equal(pageIsServed('on', listen), true, listen);
    }
    assert.equal(pageIsServed('on', ''), false);
  });

  it('is given to addresses, localhost and the own name', () => {
    for (const host of [
      '127.0.0.1:9464',
      '[::1]:9464',
      'localhost:8080',
      'LOCALHOST',
      '10.0.0.7',
      'Node-1:9464',
    ])
      assert.equal(refusalOf({ host }, 'node-1'), undefined, host);
  });

  it('is refused to other names, which can lead here by rebinding', () => {
    for (const host of [
      undefined,
      '',
      'evil.example',
      'evil.example:9464',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'node-1.evil',
    ])
      assert.match(refusalOf({ host }, 'node-1') ?? '', /Host header/, String(host));
  });

  it('is refused to what pages of others ask for, but not to links that lead here', () => {
    const asked = (site: string, mode: string): string | undefined =>
      refusalOf({ host: 'localhost', 'sec-fetch-site': site, 'sec-fetch-mode': mode }, 'n');
    assert.equal(asked('same-origin', 'cors'), undefined);
    assert.equal(asked('none', 'navigate'), undefined);
    assert.equal(asked('cross-site', 'navigate'), undefined);
    assert.match(asked('cross-site', 'no-cors') ?? '', /others/);
    assert.match(asked('same-site', 'cors') ?? '', /others/);
  });
});
