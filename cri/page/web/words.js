import { el } from './dom.js';

/** @import { PodPart } from '../parts.ts' */

/* How figures, times and names are worded; `berth status` words them the same. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/**
 * `1.2 MB`
 * @param {number} count
 */
export function bytes(count) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/**
 * `0.4 ms`, `35 ms`, `4.2 s`, `3 min`, `5 h`, `2 d`
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return age(ms);
}

/**
 * Whole seconds and more: `12 s`, `3 min`, `5 h`, `2 d`
 * @param {number} ms
 */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/**
 * `1 pod`, `3 pods`
 * @param {number} number
 * @param {string} one
 */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/**
 * Ids are shown as crictl does.
 * @param {string} id
 */
export function shortId(id) {
  return id.replace(/^sha256:/, '').slice(0, 13);
}

/**
 * An image's name without what everybody knows.
 * @param {string} name
 */
export function imageName(name) {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) return shortId(name);
  return name.replace(/^docker\.io\/(library\/)?/, '').replace(/@sha256:([0-9a-f]{8})[0-9a-f]+$/, '@$1…');
}

/**
 * A mapped port: `8080→80`, with what is not usual.
 * @param {PodPart['hostPorts'][number]} port
 */
export function portName({ protocol, hostIp, hostPort, containerPort }) {
  const on = hostIp === '' || hostIp === '0.0.0.0' ? '' : `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:`;
  const to = hostPort === containerPort ? '' : `→${containerPort}`;
  return `${on}${hostPort}${to}/${protocol}`;
}

/* The clock of the node and that of the reader need not agree. */
let ahead = 0;

/**
 * What time it is on the node: from now on `at` (ISO 8601).
 * @param {string} at
 */
export function setNodeTime(at) {
  ahead = Date.parse(at) - Date.now();
}

/**
 * Milliseconds since `since`, by the node's clock.
 * @param {string} since
 */
export function sinceMs(since) {
  return Date.now() + ahead - Date.parse(since);
}

/**
 * An age that grows: see `tickAges`.
 * @param {string} since
 */
export function ageSince(since, suffix = '') {
  const element = el('time', {
    datetime: since,
    title: new Date(since).toLocaleString(),
    'data-suffix': suffix,
  });
  element.textContent = age(sinceMs(since)) + suffix;
  return element;
}

/** Makes all ages on the page those of now. */
export function tickAges() {
  for (const element of document.querySelectorAll('time')) {
    const { suffix } = element.dataset;
    if (suffix === undefined) continue;
    const text = age(sinceMs(element.dateTime)) + suffix;
    if (element.textContent !== text) element.textContent = text;
  }
}
