import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { HandlerStatus } from '../../pod/pods.ts';
import { isOwnLabel, wantedLabels } from './labels.ts';

const handler = (name: string, usable: boolean, isDefault = false): HandlerStatus =>
  ({ name, usable, isDefault, reason: '', version: '', path: '' }) as unknown as HandlerStatus;

/** What kube-apiserver takes (apimachinery, validation.IsQualifiedName and IsValidLabelValue). */
const PART = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

describe('the labels of a Node', () => {
  it('tell version, default and handlers that work', () => {
    const handlers = [handler('crun', true, true), handler('runc', true), handler('kata', false)];
    assert.deepEqual(wantedLabels({ version: '0.1.0+abc', handlers }), {
      'berth.dev/version': '0.1.0_abc',
      'berth.dev/default-handler': 'crun',
      'berth.dev/handler.crun': 'true',
      'berth.dev/handler.runc': 'true',
    });
    assert.deepEqual(wantedLabels({ version: '1', handlers: [] }), { 'berth.dev/version': '1' });
  });

  it('leave alone what is not theirs', () => {
    const others = ['berth.dev/install', 'berth.dev/versions', 'kubernetes.io/os', 'version'];
    assert.deepEqual(others.filter(isOwnLabel), []);
  });

  it('are such as the API server takes, whatever versions and handlers are called', () => {
    const name = fc.oneof(fc.string(), fc.stringMatching(/^[\w.-]{0,70}$/));
    fc.assert(
      fc.property(name, fc.array(fc.tuple(name, fc.boolean(), fc.boolean())), (version, handlers) => {
        const labels = wantedLabels({
          version,
          handlers: handlers.map(([title, usable, isDefault]) => handler(title, usable, isDefault)),
        });
        for (const [key, value] of Object.entries(labels)) {
          const [domain, part] = key.split('/') as [string, string];
          assert.equal(domain, 'berth.dev');
          assert.ok(isOwnLabel(key), key);
          assert.ok(part.length <= 63 && PART.test(part), key);
          assert.ok(value === '' || (value.length <= 63 && PART.test(value)), value);
        }
      }),
    );
  });
});
