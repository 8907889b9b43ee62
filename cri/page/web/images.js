import { el, extent, fill, flash, keyed } from './dom.js';
import { bytes, count, imageName, shortId } from './words.js';

/** More segments than this nobody tells apart. */
const SEGMENTS = 80;

let list;

/** Images and layers: what each costs, and who shares it. */
export function showImages({ images }) {
  const place = document.getElementById('image-list');
  const hint = document.getElementById('images-hint');
  if (images.images.length === 0) {
    list = undefined;
    hint.textContent = '';
    return fill(
      place,
      el(
        'div',
        { class: 'empty' },
        el('p', {}, 'There are no images on this node yet.'),
        el(
          'p',
          { class: 'hint' },
          el('code', {}, 'crictl pull docker.io/library/busybox'),
          ' or ',
          el('code', {}, 'berth image load FILE'),
        ),
      ),
    );
  }
  const saved = images.apartBytes - images.diskBytes;
  hint.textContent = `${bytes(images.diskBytes)} on disk${saved > 0 ? `; sharing saves ${bytes(saved)}` : ''}`;
  if (list === undefined) {
    list = el('ul', { class: 'images' });
    fill(place, el('div'), list);
  }
  fill(place.firstElementChild, layerBar(images), imageLegend());
  const users = usersOf(images);
  const largest = images.images[0].bytes || 1;
  const layers = new Map(images.layers.map((layer) => [layer.id, layer]));
  const items = images.images.map((image) => ({
    ...image,
    largest,
    layers: image.layers.map((id) => ({
      ...layers.get(id),
      with: users.get(id).filter((name) => name !== nameOf(image)),
    })),
  }));
  keyed(list, items, ({ id }) => id, imageItem, flash);
}

function nameOf({ id, tags, digests }) {
  return imageName(tags[0] ?? digests[0] ?? id);
}

function usersOf({ images }) {
  const users = new Map();
  for (const image of images)
    for (const id of new Set(image.layers)) users.set(id, [...(users.get(id) ?? []), nameOf(image)]);
  return users;
}

function kindOf(layer) {
  if (layer.images > 1) return 'shared';
  return layer.images === 1 ? 'own' : 'unused';
}

function layerBar({ layers, diskBytes }) {
  const sorted = layers.toSorted((a, b) => b.images - a.images || b.bytes - a.bytes).slice(0, SEGMENTS);
  const total = diskBytes || 1;
  let from = 0;
  return el(
    'div',
    {
      class: 'bar tall',
      role: 'img',
      'aria-label': `${count(layers.length, 'layer')} on disk, ${bytes(diskBytes)}`,
    },
    sorted.map((layer) => {
      const percent = (100 * layer.bytes) / total;
      const who = layer.images === 0 ? 'no image' : count(layer.images, 'image');
      const segment = extent(
        el('i', { class: kindOf(layer), title: `${bytes(layer.bytes)}, ${who}` }),
        percent,
        from,
      );
      from += percent;
      return segment;
    }),
  );
}

function imageLegend() {
  const keys = [
    ['shared', 'layers that images share'],
    ['own', 'layers of one image'],
  ];
  return el(
    'div',
    { class: 'legend' },
    keys.map(([kind, text]) =>
      el('span', { class: 'key' }, el('i', { class: `swatch ${kind}`, 'aria-hidden': true }), text),
    ),
  );
}

function imageItem(image) {
  const { id, tags, bytes: size, ownBytes, pinned, containers, layers, largest } = image;
  const shared = (100 * (size - ownBytes)) / largest;
  const more = tags.length > 1 ? ` and ${count(tags.length - 1, 'more name')}` : '';
  return el(
    'li',
    {},
    el(
      'details',
      {},
      el(
        'summary',
        {},
        el(
          'span',
          { class: 'name', title: tags.join('\n') || id },
          nameOf(image),
          more !== '' && el('span', { class: 'hint' }, more),
        ),
        el(
          'span',
          { class: 'bar', 'aria-hidden': true },
          shared > 0 && extent(el('i', { class: 'shared' }), shared),
          extent(el('i', { class: 'own' }), (100 * ownBytes) / largest, shared),
        ),
        el('span', { class: 'total' }, bytes(size)),
        el(
          'span',
          { class: 'aside hint' },
          [
            size > ownBytes ? `${bytes(ownBytes)} of its own` : '',
            containers > 0 ? count(containers, 'container') : 'not in use',
            pinned ? 'pinned' : '',
          ]
            .filter(Boolean)
            .join(', '),
        ),
      ),
      el(
        'table',
        { class: 'plain layers' },
        el('caption', {}, `${shortId(id)}, ${count(layers.length, 'layer')}, the lowest first`),
        el(
          'thead',
          { class: 'unseen' },
          el(
            'tr',
            {},
            ['Layer', 'On disk', 'Shared with'].map((text) => el('th', { scope: 'col' }, text)),
          ),
        ),
        el('tbody', {}, layers.map(layerRow)),
      ),
    ),
  );
}

function layerRow(layer, index) {
  const others = layer.with;
  const names = others.length > 4 ? [...others.slice(0, 3), `${others.length - 3} more`] : others;
  return el(
    'tr',
    {},
    el(
      'th',
      { scope: 'row' },
      el('i', { class: `swatch ${kindOf(layer)}`, 'aria-hidden': true }),
      `${index + 1}`,
    ),
    el('td', { class: 'took' }, bytes(layer.bytes)),
    el(
      'td',
      {},
      others.length === 0 ? el('span', { class: 'hint' }, 'its own') : `also in ${names.join(', ')}`,
    ),
  );
}
