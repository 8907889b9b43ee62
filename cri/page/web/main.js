import { showImages } from './images.js';
import { showNetwork } from './network.js';
import { showNow } from './now.js';
import { showNode, showOverview, showTrouble } from './overview.js';
import { showPods, watchPodTools } from './pods.js';
import { showStarts } from './starts.js';
import { follow } from './stream.js';
import { setNodeTime, tickAges } from './words.js';

/*
 * The page: what the stream tells is kept by its keys, and the sections that show what has changed are drawn anew, once
 * a frame.
 */

const parts = new Map();
/** Pods by id; an object stays the same while its pod does. */
let pods = [];

/** Which parts each section shows. */
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

function now() {
  return { ...Object.fromEntries(parts), pods };
}

let dirty = new Set();
let drawing = false;

function draw() {
  drawing = false;
  const changed = dirty;
  dirty = new Set();
  for (const [keys, show] of SECTIONS) if (keys.some((key) => changed.has(key))) show();
  document.getElementById('page').removeAttribute('aria-busy');
}

function drawSoon() {
  if (drawing) return;
  drawing = true;
  // Not by requestAnimationFrame: a page in the background has no frames, and would fall behind.
  setTimeout(draw);
}

function take({ at, set, gone, whole }) {
  setNodeTime(at);
  const podsBefore = whole ? new Map() : new Map(pods.map((pod) => [pod.id, pod]));
  for (const [key, value] of Object.entries(set)) {
    if (key.startsWith('pod:')) podsBefore.set(value.id, value);
    else parts.set(key, value);
    dirty.add(key.startsWith('pod:') ? 'pods' : key);
  }
  for (const key of gone) {
    podsBefore.delete(key.slice('pod:'.length));
    dirty.add('pods');
  }
  if (whole) dirty.add('pods');
  pods = [...podsBefore.values()];
  if (dirty.size > 0) drawSoon();
}

const STATES = {
  waiting: 'connecting',
  live: 'live',
  lost: 'The daemon does not answer. Pods live on; trying again …',
  asleep: 'paused',
};

const live = document.getElementById('live');

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
