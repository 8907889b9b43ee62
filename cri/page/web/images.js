import { el, extent } from './dom.js';
import { legendKey, ListSection, tableHead } from './parts.js';
import { bytes, count, imageName, shortId } from './words.js';

/** @import { ImagePart, ImagesPart, LayerPart } from '../parts.ts' */
/** @import { Shown } from './main.js' */

/**
 * A layer of an image, and the names of the other images that have it.
 * @typedef {LayerPart & { with: string[] }} SharedLayer
 */

/**
 * An image beside the largest one.
 * @typedef {Omit<ImagePart, 'layers'> & { largest: number, layers: SharedLayer[] }} ImageItem
 */

/** More segments than this nobody tells apart. */
const SEGMENTS = 80;

const section = new ListSection('image', 'ul');

/**
 * Images and layers: what each costs, and who shares it.
 * @param {Shown} shown
 */
export function showImages({ images }) {
  const [first] = images.images;
  if (first === undefined)
    return section.empty(
      'There are no images on this node yet.',
      el('code', {}, 'crictl pull docker.io/library/busybox'),
      ' or ',
      el('code', {}, 'berth image load FILE'),
    );
  const saved = images.apartBytes - images.diskBytes;
  section.show({
    hint: `${bytes(images.diskBytes)} on disk${saved > 0 ? `; sharing saves ${bytes(saved)}` : ''}`,
    above: [layerBar(images), imageLegend()],
    items: itemsOf(images, first.bytes || 1),
    keyOf: ({ id }) => id,
    make: imageItem,
  });
}

/**
 * @param {ImagesPart} images
 * @param {number} largest
 * @returns {ImageItem[]}
 */
function itemsOf({ images, layers }, largest) {
  const users = usersOf(images);
  const byLayer = new Map(layers.map((layer) => [layer.id, layer]));
  return images.map((image) => ({
    ...image,
    largest,
    layers: image.layers.flatMap((id) => {
      const layer = byLayer.get(id);
      if (layer === undefined) return [];
      return { ...layer, with: users.get(id)?.filter((name) => name !== nameOf(image)) ?? [] };
    }),
  }));
}

/** @param {Pick<ImagePart, 'id' | 'tags' | 'digests'>} image */
function nameOf({ id, tags, digests }) {
  return imageName(tags[0] ?? digests[0] ?? id);
}

/**
 * Names of images by layer.
 * @param {readonly ImagePart[]} images
 */
function usersOf(images) {
  /** @type {Map<string, string[]>} */
  const users = new Map();
  for (const image of images)
    for (const id of new Set(image.layers)) users.set(id, [...(users.get(id) ?? []), nameOf(image)]);
  return users;
}

/** @param {LayerPart} layer */
function kindOf(layer) {
  if (layer.images > 1) return 'shared';
  return layer.images === 1 ? 'own' : 'unused';
}

/** @param {ImagesPart} images */
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
  return el(
    'div',
    { class: 'legend' },
    legendKey('shared', 'layers that images share'),
    legendKey('own', 'layers of one image'),
  );
}

/** @param {ImageItem} image */
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
        tableHead(['Layer', 'On disk', 'Shared with'], { class: 'unseen' }),
        el('tbody', {}, layers.map(layerRow)),
      ),
    ),
  );
}

/**
 * @param {SharedLayer} layer
 * @param {number} index
 */
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
