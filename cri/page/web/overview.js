import { byId, el, fill } from './dom.js';
import { tableHead } from './parts.js';
import { ageSince, bytes, count } from './words.js';

/** @import { NodePart, PodPart, TroublePart, VitalsPart } from '../parts.ts' */
/** @import { Child } from './dom.js' */
/** @import { Shown } from './main.js' */

/**
 * The node in one sentence, and in a handful of figures.
 * @param {Shown} shown
 */
export function showOverview({ node, vitals, images, network, trouble, pods }) {
  const containers = pods.flatMap((pod) => pod.containers);
  const running = containers.filter(({ state }) => state === 'running').length;
  const notReady = pods.filter(({ state }) => state !== 'ready').length;
  byId('node-name').textContent = node.name;
  document.title = `${node.name} · Berth`;
  fill(byId('verdict'), verdict(node, trouble, pods));
  const range = network.ranges[0];
  fill(
    byId('figures'),
    figure(
      'Pods',
      pods.length,
      pods.length === 0 ? 'none yet' : notReady === 0 ? 'all ready' : `${notReady} not ready`,
    ),
    figure('Running', running, `of ${count(containers.length, 'container')}`),
    figure('Images', images.images.length, `${bytes(images.diskBytes)} on disk`),
    range !== undefined && figure('Addresses', range.inUse, `of ${roundly(range.size)} in use`),
    figure('Up', ageSince(node.startedAt), `${bytes(vitals.memoryBytes)} of memory`),
  );
}

/**
 * @param {NodePart} node
 * @param {TroublePart} trouble
 * @param {readonly PodPart[]} pods
 */
function verdict({ conditions }, { debts, quarantined }, pods) {
  const failing = conditions.filter(({ ready }) => !ready);
  if (failing.length > 0)
    return [el('strong', { class: 'bad' }, 'Not ready. '), failing.map(({ message }) => message).join('; ')];
  const owed = [
    debts.length > 0 ? count(debts.length, 'debt') : '',
    quarantined.length > 0 ? count(quarantined.length, 'quarantined record') : '',
  ].filter(Boolean);
  const many = pods.length === 0 ? 'No pods yet' : count(pods.length, 'pod');
  return [
    el('strong', {}, 'Ready. '),
    `${many}; `,
    owed.length === 0 ? 'nothing is owed.' : `${owed.join(' and ')} to look at.`,
  ];
}

/**
 * @param {string} name
 * @param {Child} value
 * @param {Child} detail
 */
function figure(name, value, detail) {
  return el(
    'div',
    {},
    el('dt', {}, name),
    el('dd', { class: 'value' }, value),
    el('dd', { class: 'detail' }, detail),
  );
}

/**
 * `65 533`, `1.8 × 10^19`
 * @param {string} digits
 */
function roundly(digits) {
  if (digits.length > 9) return `${digits[0]}.${digits[1]} × 10^${digits.length - 1}`;
  return digits.replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** @type {Record<TroublePart['notices'][number]['kind'], string>} */
const NOTICES = {
  'store-repaired': 'The image store was repaired',
  'store-unchecked': 'The image store could not be looked through',
  'no-room': 'There was no room for an image',
};

/**
 * What a person should know: conditions that fail, handlers that cannot be used, debts, quarantined records, refused
 * nodes.
 * @param {Shown} shown
 */
export function showTrouble({ node, trouble, network }) {
  const { debts, quarantined, notices } = trouble;
  const refused = network.overlay?.refused ?? [];
  const items = [
    ...node.conditions
      .filter(({ ready }) => !ready)
      .map(({ type, message }) =>
        item(
          type === 'NetworkReady' ? 'The network is not ready' : 'No pod can run',
          message,
          'berth doctor',
        ),
      ),
    ...debts.map(({ kind, subject, since, tries, lastError }) =>
      item(
        `Debt: ${kind} of ${subject}`,
        [`since `, ageSince(since), `, ${count(tries, 'try', 'tries')}: ${lastError}`],
        'It is tried again by itself.',
      ),
    ),
    ...quarantined.map(({ kind, id, reason }) =>
      item(`Quarantined record: ${kind} ${id}`, reason, 'berth check'),
    ),
    ...notices.map(({ at, kind, message }) =>
      item(NOTICES[kind] ?? kind, [ageSince(at, ' ago: '), message], ''),
    ),
    ...refused.map(({ name, why }) => item(`The VXLAN cannot lead to ${name}`, why, '')),
    ...(network.overlay?.apiTrouble
      ? [item('The API server does not answer', network.overlay.apiTrouble, '')]
      : []),
  ];
  byId('trouble').hidden = items.length === 0;
  fill(byId('trouble-list'), el('ul', { class: 'trouble' }, items));
}

/**
 * @param {string} title
 * @param {Child} text
 * @param {string} next
 */
function item(title, text, next) {
  const advice = next.startsWith('berth ') ? ['What to do: ', el('code', {}, next)] : next;
  return el(
    'li',
    {},
    el('strong', {}, title),
    el('p', {}, text),
    advice !== '' && el('p', { class: 'hint' }, advice),
  );
}

/**
 * As `berth status` words it.
 * @param {NonNullable<VitalsPart['disk']>} disk
 */
function diskText({ bytesTotal, bytesFree }) {
  const used = bytesTotal === 0 ? 0 : Math.round((100 * (bytesTotal - bytesFree)) / bytesTotal);
  return `${bytes(bytesFree)} free of ${bytes(bytesTotal)} (${used} % used)`;
}

/**
 * What the daemon is, what it stands on, and which handlers it has.
 * @param {Shown} shown
 */
export function showNode({ node, vitals }) {
  const versions = Object.entries(node.versions).map(([name, version]) => `${name} ${version}`);
  const facts = [
    fact('Berth', `${node.version}, up `, ageSince(node.startedAt)),
    fact('Memory', bytes(vitals.memoryBytes)),
    fact('Processes', `${vitals.processes} watched`),
    fact('Cgroups', node.cgroupDriver),
    ...(vitals.disk === undefined ? [] : [fact('Disk', diskText(vitals.disk))]),
    fact('On', versions.join(', ')),
    ...node.conditions.map(({ type, ready, message }) => fact(type, ready ? 'true' : `false: ${message}`)),
  ];
  fill(
    byId('node-facts'),
    el('dl', { class: 'facts' }, facts),
    el(
      'table',
      { class: 'plain' },
      el('caption', {}, 'Handlers'),
      tableHead(['Name', 'Version', 'State']),
      el('tbody', {}, node.handlers.map(handlerRow)),
    ),
  );
}

/**
 * @param {string} name
 * @param {Child[]} value
 * @returns {Child}
 */
function fact(name, ...value) {
  return [el('dt', {}, name), el('dd', {}, value)];
}

/** @param {NodePart['handlers'][number]} handler */
function handlerRow({ name, version, usable, reason, isDefault }) {
  const state = usable ? 'usable' : `not usable: ${reason}`;
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, name, isDefault && el('span', { class: 'hint' }, ' default')),
    el('td', {}, version || '–'),
    el('td', { class: usable ? '' : 'hint' }, state),
  );
}
