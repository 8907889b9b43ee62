import { byId, el, fill, flash, keyed } from './dom.js';
import { nothing } from './parts.js';
import { ageSince, count, imageName, portName } from './words.js';

/** @import { ContainerPart, PodPart } from '../parts.ts' */
/** @import { Child, Place } from './dom.js' */
/** @import { Shown } from './main.js' */

const COLUMNS = ['Pod, container', 'State', 'Handler, image', 'Address, restarts', 'Age'];

/**
 * Made when there are pods; `groups` is the part of the table that `keyed` may order: all but caption and head.
 * @type {{ table: HTMLTableElement, groups: Place, unfit: HTMLElement } | undefined}
 */
let made;

/**
 * The pods with their containers, as far as filter and order say.
 * @param {Shown} shown
 */
export function showPods({ pods }) {
  const place = byId('pod-list');
  byId('pod-tools').hidden = pods.length === 0;
  const hint = byId('pods-hint');
  if (pods.length === 0) {
    made = undefined;
    hint.textContent = '';
    return fill(
      place,
      nothing(
        'There are no pods on this node yet.',
        'A kubelet brings them; by hand it is ',
        el('code', {}, 'crictl runp pod.json'),
        '. To see some at work on a throw-away node: ',
        el('code', {}, 'berth demo'),
      ),
    );
  }
  const shown = ordered(pods.filter(wanted));
  hint.textContent = shown.length === pods.length ? String(pods.length) : `${shown.length} of ${pods.length}`;
  if (made === undefined) {
    made = podTable();
    fill(place, made.table, made.unfit);
  }
  made.unfit.hidden = shown.length > 0;
  keyed(made.groups, shown, ({ id }) => id, podGroup, flash);
}

function podTable() {
  const table = el(
    'table',
    { class: 'pods', role: 'table' },
    el('caption', { class: 'unseen' }, 'Pods and their containers'),
    el(
      'thead',
      { role: 'rowgroup' },
      el(
        'tr',
        { role: 'row' },
        COLUMNS.map((text) => el('th', { scope: 'col', role: 'columnheader' }, text)),
      ),
    ),
  );
  /** @type {Place} */
  const groups = {
    get firstElementChild() {
      return table.tBodies[0] ?? null;
    },
    insertBefore: (child, before) => table.insertBefore(child, before),
  };
  return { table, groups, unfit: el('p', { class: 'hint' }, 'No pod fits the filter.') };
}

const wish = { filter: '', unwell: false, order: 'name' };

/**
 * Calls `changed` when a person wants other pods, or another order.
 * @param {() => void} changed
 */
export function watchPodTools(changed) {
  const filter = /** @type {HTMLInputElement} */ (byId('pod-filter'));
  const unwell = /** @type {HTMLInputElement} */ (byId('pod-unwell'));
  const order = /** @type {HTMLSelectElement} */ (byId('pod-order'));
  const read = () => {
    Object.assign(wish, {
      filter: filter.value.trim().toLowerCase(),
      unwell: unwell.checked,
      order: order.value,
    });
    changed();
  };
  for (const tool of [filter, unwell, order]) tool.addEventListener('input', read);
  byId('pod-tools').addEventListener('submit', (event) => event.preventDefault());
}

/** @param {PodPart} pod */
function wanted(pod) {
  if (wish.unwell && isWell(pod)) return false;
  if (wish.filter === '') return true;
  const texts = [pod.id, `${pod.namespace}/${pod.name}`, ...pod.addresses];
  for (const { id, name, image, reason, state } of pod.containers) texts.push(id, name, image, reason, state);
  return texts.some((text) => text.toLowerCase().includes(wish.filter));
}

/** @param {PodPart} pod */
function isWell(pod) {
  return pod.state === 'ready' && latest(pod).every(({ last }) => mark(last) !== 'bad');
}

/** @param {PodPart[]} pods */
function ordered(pods) {
  /** @type {(a: PodPart, b: PodPart) => number} */
  const byName = (a, b) =>
    compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`) || compare(a.id, b.id);
  return wish.order === 'name' ? pods.sort(byName) : pods.sort((a, b) => compare(b.createdAt, a.createdAt));
}

/**
 * @param {string} a
 * @param {string} b
 */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The containers by name: the last attempt of each, and the one before.
 * @param {PodPart} pod
 */
function latest({ containers }) {
  /** @type {Map<string, ContainerPart[]>} */
  const byName = new Map();
  for (const one of containers) byName.set(one.name, [one, ...(byName.get(one.name) ?? [])]);
  return [...byName.values()].flatMap((attempts) => {
    const [last, before] = attempts.sort((a, b) => b.attempt - a.attempt);
    return last === undefined ? [] : { last, before };
  });
}

/**
 * @param {string} kind
 * @param {Child} content
 */
function cell(kind, content, attributes = {}) {
  return el('td', { role: 'cell', class: kind, ...attributes }, content);
}

/**
 * Parts with a space between each two: where a line may break.
 * @param {readonly Child[]} parts
 * @returns {Child[]}
 */
function spaced(parts) {
  return parts.flatMap((part) => (part === false || part === '' ? [] : [part, ' ']));
}

/** @param {PodPart} pod */
function podGroup(pod) {
  const { id, name, namespace, attempt, state, handler, addresses, hostNetwork, hostPorts, createdAt } = pod;
  const network = hostNetwork
    ? [el('span', { class: 'hint' }, "node's network")]
    : addresses.map((address) => el('span', { class: 'mono address' }, address));
  const ports = hostPorts.map((port) =>
    el('span', { class: 'port', title: 'Port of the node, and of the pod' }, portName(port)),
  );
  return el(
    'tbody',
    { role: 'rowgroup', 'data-pod': id },
    el(
      'tr',
      { class: 'pod', role: 'row' },
      el(
        'th',
        { scope: 'rowgroup', role: 'rowheader', title: id },
        el('span', { class: 'hint' }, `${namespace}/`),
        el('wbr'),
        name,
      ),
      cell('state', state === 'ready' ? 'ready' : el('strong', { class: 'bad' }, 'not ready')),
      cell('image hint', handler),
      cell(
        'where',
        spaced([...network, ...ports, attempt > 0 && el('span', { class: 'hint' }, `attempt ${attempt}`)]),
      ),
      cell('age', ageSince(createdAt)),
    ),
    latest(pod).map(containerRow),
  );
}

/** @param {{ last: ContainerPart, before: ContainerPart | undefined }} attempts */
function containerRow({ last: container, before }) {
  const { id, name, image, attempt } = container;
  const restarts = attempt === 0 ? '' : count(attempt, 'restart');
  return el(
    'tr',
    { class: 'container', role: 'row', 'data-container': name },
    el(
      'th',
      { scope: 'row', role: 'rowheader', title: id },
      el('i', { class: `mark ${mark(container)}`, 'aria-hidden': true }),
      name,
    ),
    cell('state', stateWords(container)),
    cell('image', imageName(image), { title: image }),
    cell(
      'where',
      spaced([
        restarts,
        before !== undefined && el('span', { class: 'hint' }, ['before: ', exitWords(before)]),
      ]),
    ),
    cell('age', ''),
  );
}

/**
 * How well it is: its mark's shape and colour say it, and words beside it.
 * @param {ContainerPart} container
 */
function mark({ state, exitCode }) {
  if (state === 'running') return 'good';
  if (state === 'exited') return exitCode === 0 ? 'over' : 'bad';
  return state === 'created' ? 'new' : 'bad';
}

/** @param {ContainerPart} container */
function stateWords(container) {
  const { state, startedAt, finishedAt } = container;
  if (state === 'running')
    return ['running', startedAt !== '' && [' ', el('span', { class: 'hint' }, ageSince(startedAt))]];
  if (state !== 'exited') return state;
  const words = exitWords(container);
  return [
    mark(container) === 'bad' ? el('strong', { class: 'bad' }, words) : words,
    finishedAt !== '' && [' ', el('span', { class: 'hint' }, ageSince(finishedAt, ' ago'))],
  ];
}

/**
 * `exited 1, Error`, `OOMKilled, 137`, `completed`
 * @param {ContainerPart} container
 */
function exitWords({ exitCode, reason }) {
  if (exitCode === 0) return 'completed';
  return reason === '' || reason === 'Error' ? `exited ${exitCode}` : `${reason}, exited ${exitCode}`;
}
