import { el, fill, flash, keyed } from './dom.js';
import { ageSince, count, imageName, portName } from './words.js';

const COLUMNS = ['Pod, container', 'State', 'Handler, image', 'Address, restarts', 'Age'];

let table;

/** The pods with their containers, as far as filter and order say. */
export function showPods({ pods }) {
  const place = document.getElementById('pod-list');
  document.getElementById('pod-tools').hidden = pods.length === 0;
  const hint = document.getElementById('pods-hint');
  if (pods.length === 0) {
    table = undefined;
    hint.textContent = '';
    return fill(place, nothing());
  }
  const shown = ordered(pods.filter(wanted));
  hint.textContent = shown.length === pods.length ? String(pods.length) : `${shown.length} of ${pods.length}`;
  if (table === undefined) {
    table = el(
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
    fill(place, table, el('p', { class: 'hint', hidden: true }, 'No pod fits the filter.'));
  }
  table.nextSibling.hidden = shown.length > 0;
  // Above the rows of the table's head nothing is keyed: the groups of rows stand behind it.
  keyed(groups(), shown, ({ id }) => id, podGroup, flash);
}

/** The part of the table that `keyed` may order: all but caption and head. */
function groups() {
  return (table.groups ??= {
    get firstElementChild() {
      return table.tBodies[0] ?? null;
    },
    insertBefore: (child, place) => table.insertBefore(child, place),
  });
}

function nothing() {
  return el(
    'div',
    { class: 'empty' },
    el('p', {}, 'There are no pods on this node yet.'),
    el(
      'p',
      { class: 'hint' },
      'A kubelet brings them; by hand it is ',
      el('code', {}, 'crictl runp pod.json'),
      '. To see some at work on a throw-away node: ',
      el('code', {}, 'berth demo'),
    ),
  );
}

const wish = { filter: '', unwell: false, order: 'name' };

/** Calls `changed` when a person wants other pods, or another order. */
export function watchPodTools(changed) {
  const [filter, unwell, order] = ['pod-filter', 'pod-unwell', 'pod-order'].map((id) =>
    document.getElementById(id),
  );
  const read = () => {
    Object.assign(wish, {
      filter: filter.value.trim().toLowerCase(),
      unwell: unwell.checked,
      order: order.value,
    });
    changed();
  };
  for (const tool of [filter, unwell, order]) tool.addEventListener('input', read);
  document.getElementById('pod-tools').addEventListener('submit', (event) => event.preventDefault());
}

function wanted(pod) {
  if (wish.unwell && isWell(pod)) return false;
  if (wish.filter === '') return true;
  const texts = [pod.id, `${pod.namespace}/${pod.name}`, ...pod.addresses];
  for (const { id, name, image, reason, state } of pod.containers) texts.push(id, name, image, reason, state);
  return texts.some((text) => text.toLowerCase().includes(wish.filter));
}

function isWell(pod) {
  return pod.state === 'ready' && latest(pod).every(([one]) => mark(one) !== 'bad');
}

function ordered(pods) {
  const byName = (a, b) =>
    compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`) || compare(a.id, b.id);
  return wish.order === 'name' ? pods.sort(byName) : pods.sort((a, b) => compare(b.createdAt, a.createdAt));
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The containers by name, of each the last attempt first. */
function latest({ containers }) {
  const byName = new Map();
  for (const one of containers) byName.set(one.name, [one, ...(byName.get(one.name) ?? [])]);
  return [...byName.values()].map((attempts) => attempts.sort((a, b) => b.attempt - a.attempt));
}

function cell(kind, content, attributes = {}) {
  return el('td', { role: 'cell', class: kind, ...attributes }, content);
}

/** Parts with a space between each two: where a line may break. */
function spaced(...parts) {
  return parts.flat(Infinity).flatMap((part) => (part === false || part === '' ? [] : [part, ' ']));
}

function podGroup(pod) {
  const { id, name, namespace, attempt, state, handler, addresses, hostNetwork, hostPorts, createdAt } = pod;
  const network = hostNetwork
    ? el('span', { class: 'hint' }, "node's network")
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
        spaced(network, ports, attempt > 0 && el('span', { class: 'hint' }, `attempt ${attempt}`)),
      ),
      cell('age', ageSince(createdAt)),
    ),
    latest(pod).map(containerRow),
  );
}

function containerRow([container, before]) {
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
      spaced(
        restarts,
        before !== undefined && el('span', { class: 'hint' }, ['before: ', exitWords(before)]),
      ),
    ),
    cell('age', ''),
  );
}

/** How well it is: its mark's shape and colour say it, and words beside it. */
function mark({ state, exitCode }) {
  if (state === 'running') return 'good';
  if (state === 'exited') return exitCode === 0 ? 'over' : 'bad';
  return state === 'created' ? 'new' : 'bad';
}

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

/** `exited 1, Error`, `OOMKilled, 137`, `completed` */
function exitWords({ exitCode, reason }) {
  if (exitCode === 0) return 'completed';
  return reason === '' || reason === 'Error' ? `exited ${exitCode}` : `${reason}, exited ${exitCode}`;
}
