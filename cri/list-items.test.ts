import assert from 'node:assert/strict';
import { FreshItems, ListItems } from './list-items.ts';
import { ListPodSandboxResponse, PodSandbox } from './proto/codec.js';

interface Item {
  config: { name: string };
  state: number;
}

describe('items of a list', () => {
  let conversions = 0;
  const make = (): ListItems<Item, PodSandbox> =>
    new ListItems<Item, PodSandbox>(
      PodSandbox,
      ({ config, state }) => {
        conversions++;
        return { id: config.name, state };
      },
      ({ config }) => config,
      ({ state }) => [state],
    );
  const itemsOf = (...names: string[]): Item[] => names.map((name) => ({ config: { name }, state: 0 }));
  beforeEach(() => (conversions = 0));

  it('are what the codec writes, whatever their length', () => {
    const items = itemsOf(
      '',
      'a',
      'b'.repeat(126),
      'c'.repeat(127),
      'd'.repeat(20_000),
      'e'.repeat(3_000_000),
    );
    const expected = ListPodSandboxResponse.encode({
      items: items.map(({ config, state }) => ({ id: config.name, state })),
    });
    assert.ok(make().all(items).bytes().equals(expected));
    assert.equal(make().all([]).length, 0);
  });

  it('are encoded once, and again when they have changed', () => {
    const list = make();
    const items = itemsOf('a', 'b', 'c');
    list.all(items);
    list.all(items.map((item) => ({ ...item })));
    assert.equal(conversions, 3);
    items[1]!.state = 1;
    const states = ListPodSandboxResponse.decode(list.all(items).bytes()).items.map(({ state }) => state);
    assert.deepEqual(states, [0, 1, 0]);
    assert.equal(conversions, 4);
    list.all(itemsOf('a'));
    assert.equal(conversions, 5, 'another object of the same name is another item');
  });

  it('come in parts of bounded size, each with one item at least', () => {
    const items = itemsOf(...Array.from({ length: 5000 }, (_, i) => `${i}-${'x'.repeat(i % 1000)}`));
    items.splice(2500, 0, ...itemsOf('y'.repeat(2_000_000)));
    const parts = [...make().parts(items)].map((part) => part.bytes());
    assert.deepEqual(
      parts.flatMap((part) => ListPodSandboxResponse.decode(part).items.map(({ id }) => id)),
      items.map(({ config }) => config.name),
    );
    assert.deepEqual(
      parts.map(({ length }) => length > 1024 * 1024).filter(Boolean),
      [true],
      'only the part of the item that is larger by itself',
    );
    assert.ok(parts.length < 10);
    assert.deepEqual([...make().parts([])], []);
  });
});

describe('items that are made for one answer', () => {
  const list = new FreshItems<string, PodSandbox>(PodSandbox, (id) => {
    for (const begun = performance.now(); performance.now() - begun < 1.5;); // a large one
    return { id };
  });
  const names = ['a', 'b'.repeat(200), 'c'.repeat(1_500_000), 'd'];

  it('are what the codec writes, and let others have their turn in between', async () => {
    let others = 0;
    const other = setInterval(() => others++, 0);
    const encoded = await list.all(names);
    clearInterval(other);
    assert.ok(others > 0);
    const expected = ListPodSandboxResponse.encode({ items: names.map((id) => ({ id })) });
    assert.ok(encoded.bytes().equals(expected));
    assert.equal((await list.all([])).length, 0);
  });

  it('come in parts, each with one item at least', async () => {
    const ids: string[][] = [];
    for await (const part of list.parts(names))
      ids.push(ListPodSandboxResponse.decode(part.bytes()).items.map(({ id }) => id));
    assert.deepEqual(ids, [names.slice(0, 2), names.slice(2, 3), names.slice(3)]);
  });
});
