import { byId } from './dom.js';
import { showImages } from './images.js';
import { showNetwork } from './network.js';
import { showNow } from './now.js';
import { showNode, showOverview, showTrouble } from './overview.js';
import { showPods, watchPodTools } from './pods.js';
import { showStarts } from './starts.js';
import { follow } from './stream.js';
import { setNodeTime, tickAges } from './words.js';

/** @import { NodeNews, NodeSnapshot, PodPart } from '../parts.ts' */
/** @import { StreamState } from './stream.js' */

/**
 * The parts as they were last told: what the sections show.
 * @typedef {Omit<NodeSnapshot, 'at'>} Shown
 */

/*
 * The page: what the stream tells is kept by its keys, and the sections that show what has changed are drawn anew, once
 * a frame.
 */

/** @type {Map<string, unknown>} */
const parts = new Map();
/**
 * In the order of their creation; an object stays the same while its pod does.
 * @type {PodPart[]}
 */
let pods = [];

/**
 * Which parts each section shows.
 * @type {[parts: (keyof Shown)[], show: () => void][]}
 */
const SECTIONS = [
  [['node', 'vitals', 'images', 'network', 'trouble', 'pods'], () => showOverview(now())],
  [['trouble', 'node', 'network'], () => showTrouble(now())],
  [['work'], () => showNow(now())],
  [['pods'], () => showPods(now())],
  [['starts', 'pods'], () => showStarts(now())],
  [['images', 'pods'], () => showImages(now())],
  [['network', 'pods'], () => showNetwork(now())],
  [['node', 'vitals'], () => showNode(now())],
];

/** The first event holds all of it, and nothing is drawn before. */
function now() {
  return /** @type {Shown} */ ({ ...Object.fromEntries(parts), pods });
}

/** @type {Set<string>} */
let dirty = new Set();
let drawing = false;

function draw() {
  drawing = false;
  const changed = dirty;
  dirty = new Set();
  for (const [keys, show] of SECTIONS) if (keys.some((key) => changed.has(key))) show();
  byId('page').removeAttribute('aria-busy');
}

function drawSoon() {
  if (drawing) return;
  drawing = true;
  // Not by requestAnimationFrame: a page in the background has no frames, and would fall behind.
  setTimeout(draw);
}

/** @param {NodeNews} news */
function take({ at, set, gone, whole }) {
  setNodeTime(at);
  const podsBefore = new Map(whole ? [] : pods.map((pod) => [pod.id, pod]));
  for (const [key, value] of Object.entries(set)) {
    if (isPod(key, value)) {
      podsBefore.set(value.id, value);
      dirty.add('pods');
    } else {
      parts.set(key, value);
      dirty.add(key);
    }
  }
  for (const key of gone) {
    podsBefore.delete(key.slice('pod:'.length));
    dirty.add('pods');
  }
  if (whole) dirty.add('pods');
  pods = [...podsBefore.values()];
  if (dirty.size > 0) drawSoon();
}

/**
 * @param {string} key
 * @param {unknown} _value
 * @returns {_value is PodPart}
 */
function isPod(key, _value) {
  return key.startsWith('pod:');
}

/** @type {Record<StreamState, string>} */
const STATES = {
  waiting: 'connecting',
  live: 'live',
  lost: 'The daemon does not answer. Pods live on; trying again …',
  asleep: 'paused',
};

const live = byId('live');

/** @param {StreamState} name */
function state(name) {
  if (live.dataset.state === name) return;
  live.dataset.state = name;
  live.textContent = STATES[name];
  document.body.dataset.state = name;
}

watchPodTools(drawPods);
function drawPods() {
  dirty.add('pods');
  drawSoon();
}

follow(take, state);
setInterval(() => (document.hidden ? undefined : tickAges()), 1000);
