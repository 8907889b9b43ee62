import assert from 'node:assert/strict';
import { Container, type ContainerRecord } from './container.ts';
import { containerNow, containerView, listContainers } from './container-view.ts';
import type { Parts } from './parts.ts';

describe('views of containers', () => {
  const record = {
    id: 'a',
    sandboxId: 'pod',
    phase: 'created',
    exitCode: 0,
    config: { metadata: { name: 'one', attempt: 0 }, labels: { app: 'web' } },
  } as unknown as ContainerRecord;
  const container = new Container(record);
  const parts = { containers: new Map([['a', container]]) } as unknown as Parts;

  it('show what holds when they are looked at, but for those of a moment', () => {
    const view = containerView(parts, container);
    const then = containerNow(parts, container);
    record.phase = 'exited';
    record.exitCode = 3;
    assert.deepEqual([view.state, view.exitCode], ['exited', 3]);
    assert.deepEqual([then.state, then.exitCode], ['created', 0]);
  });

  it('are one for each container, however often it is listed', () => {
    const [listed] = listContainers(parts, { state: 'exited', labels: { app: 'web' } });
    assert.equal(listed, containerView(parts, container));
    assert.deepEqual(listContainers(parts, { state: 'running', labels: {} }), []);
    assert.deepEqual(listContainers(parts, { labels: { app: 'other' } }), []);
    record.phase = 'creating';
    assert.deepEqual(listContainers(parts, { labels: {} }), []);
  });
});
