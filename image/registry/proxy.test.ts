import assert from 'node:assert/strict';
import { proxyFor } from './proxy.ts';

describe('proxies', () => {
  const via = (url: string, noProxy = ''): string | undefined =>
    proxyFor(new URL(url), { HTTPS_PROXY: 'http://s:1', http_proxy: 'p:2', NO_PROXY: noProxy });

  it('takes the variable of the scheme, in capitals or not', () => {
    assert.equal(via('https://reg.example/v2'), 'http://s:1');
    assert.equal(via('http://reg.example/v2'), 'http://p:2');
    assert.equal(proxyFor(new URL('https://reg.example'), { HTTP_PROXY: 'http://p' }), undefined);
  });

  it('leaves loopback alone', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.9.10:5000', '[::1]:5000'])
      assert.equal(via(`https://${host}/`), undefined, host);
  });

  const bypassed: [string, string][] = [
    ['reg.example', 'reg.example'],
    ['a.reg.example', 'other, reg.example'],
    ['a.reg.example', '.reg.example'],
    ['a.reg.example', '*.reg.example'],
    ['reg.example:5000', 'REG.example:5000'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['10.1.2.3:5000', '10.1.2.3'],
    ['[fd00::7]', 'fd00::/8'],
    ['[fd00::7]:5000', '[fd00::7]:5000'],
    ['any.where', '*'],
  ];
  for (const [host, noProxy] of bypassed)
    it(`does not send ${host} there with NO_PROXY=${noProxy}`, () =>
      assert.equal(via(`https://${host}/v2`, noProxy), undefined));

  const proxied: [string, string][] = [
    ['reg.example', '.reg.example'],
    ['areg.example', 'reg.example'],
    ['reg.example:5000', 'reg.example:443'],
    ['11.1.2.3', '10.0.0.0/8'],
    ['10.1.2.3', '10.0.0.0/99,nonsense/8'],
    ['[fe80::7]', 'fd00::/8'],
    ['1.10.1.2', '10.1.2'],
  ];
  for (const [host, noProxy] of proxied)
    it(`sends ${host} there with NO_PROXY=${noProxy}`, () =>
      assert.equal(via(`https://${host}/v2`, noProxy), 'http://s:1'));
});
