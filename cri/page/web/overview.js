import { el, fill } from './dom.js';
import { ageSince, bytes, count } from './words.js';

/** The node in one sentence, and in a handful of figures. */
export function showOverview({ node, vitals, images, network, trouble, pods }) {
  const containers = pods.flatMap((pod) => pod.containers);
  const running = containers.filter(({ state }) => state === 'running').length;
  const notReady = pods.filter(({ state }) => state !== 'ready').length;
  document.getElementById('node-name').textContent = node.name;
  document.title = `${node.name} · Berth`;
  fill(document.getElementById('verdict'), verdict(node, trouble, pods));
  const range = network.ranges[0];
  fill(
    document.getElementById('figures'),
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

function figure(name, value, detail) {
  return el(
    'div',
    {},
    el('dt', {}, name),
    el('dd', { class: 'value' }, value),
    el('dd', { class: 'detail' }, detail),
  );
}

/** `65 533`, `1.8 × 10^19` */
function roundly(digits) {
  if (digits.length > 9) return `${digits[0]}.${digits[1]} × 10^${digits.length - 1}`;
  return digits.replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

const NOTICES = {
  'store-repaired': 'The image store was repaired',
  'store-unchecked': 'The image store could not be looked through',
  'no-room': 'There was no room for an image',
};

/** What a person should know: conditions that fail, handlers that cannot be used, debts, quarantined records, refused nodes. */
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
  document.getElementById('trouble').hidden = items.length === 0;
  fill(document.getElementById('trouble-list'), el('ul', { class: 'trouble' }, items));
}

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

/** As `berth status` words it. */
function diskText({ bytesTotal, bytesFree }) {
  const used = bytesTotal === 0 ? 0 : Math.round((100 * (bytesTotal - bytesFree)) / bytesTotal);
  return `${bytes(bytesFree)} free of ${bytes(bytesTotal)} (${used} % used)`;
}

/** What the daemon is, what it stands on, and which handlers it has. */
export function showNode({ node, vitals }) {
  const versions = Object.entries(node.versions).map(([name, version]) => `${name} ${version}`);
  const facts = [
    ['Berth', `${node.version}, up `, ageSince(node.startedAt)],
    ['Memory', bytes(vitals.memoryBytes)],
    ['Processes', `${vitals.processes} watched`],
    ['Cgroups', node.cgroupDriver],
    ...(vitals.disk === undefined ? [] : [['Disk', diskText(vitals.disk)]]),
    ['On', versions.join(', ')],
    ...node.conditions.map(({ type, ready, message }) => [type, ready ? 'true' : `false: ${message}`]),
  ];
  fill(
    document.getElementById('node-facts'),
    el(
      'dl',
      { class: 'facts' },
      facts.map(([name, ...value]) => [el('dt', {}, name), el('dd', {}, value)]),
    ),
    el(
      'table',
      { class: 'plain' },
      el('caption', {}, 'Handlers'),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          ['Name', 'Version', 'State'].map((text) => el('th', { scope: 'col' }, text)),
        ),
      ),
      el('tbody', {}, node.handlers.map(handlerRow)),
    ),
  );
}

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
