import { byId, el, extent, fill } from './dom.js';
import { ageSince, bytes, imageName, shortId } from './words.js';

/** @import { WorkPart } from '../parts.ts' */
/** @import { Child } from './dom.js' */
/** @import { Shown } from './main.js' */

/**
 * What is in flight at which stage since when, and how far pulls are.
 * @param {Shown} shown
 */
export function showNow({ work }) {
  const pulls = work.pulls.map(pullItem);
  const flights = work.inFlight.filter(({ operation }) => operation !== 'PullImage');
  fill(byId('pulls'), pulls.length > 0 && el('ul', { class: 'pulls' }, pulls));
  fill(byId('flights'), flightTable(flights, pulls.length === 0));
}

/**
 * @param {WorkPart['inFlight']} flights
 * @param {boolean} alone
 */
function flightTable(flights, alone) {
  if (flights.length === 0) return alone && el('p', { class: 'hint' }, 'Nothing is in flight.');
  /** @param {string} text */
  const column = (text) => el('th', { scope: 'col', role: 'columnheader' }, text);
  /** @param {Child} content */
  const cell = (content, attributes = {}) => el('td', { role: 'cell', ...attributes }, content);
  return el(
    'table',
    { class: 'plain flights', role: 'table' },
    el('caption', { class: 'unseen' }, 'Operations in flight'),
    el(
      'thead',
      { role: 'rowgroup' },
      el('tr', { role: 'row' }, ['Operation', 'Object', 'Stage', 'Since'].map(column)),
    ),
    el(
      'tbody',
      { role: 'rowgroup' },
      flights.map(({ operation, id, subject, stage, stageAt }) =>
        el('tr', { role: 'row' }, [
          cell(operation),
          cell(subject === id ? shortId(id) : subject, { title: id }),
          cell(stage),
          cell(ageSince(stageAt)),
        ]),
      ),
    ),
  );
}

/** @param {WorkPart['pulls'][number]} pull */
function pullItem({ image, stage, beganAt, layersDone, layersTotal, bytesDone, bytesTotal }) {
  const percent = bytesTotal === 0 ? 0 : (100 * bytesDone) / bytesTotal;
  const progress = el('progress', {
    max: 100,
    'aria-label': `Pull of ${image}`,
    ...(bytesTotal === 0 ? {} : { value: percent.toFixed(1) }),
  });
  return el(
    'li',
    {},
    el('span', { class: 'pull-name', title: image }, 'Pulling ', el('strong', {}, imageName(image))),
    extent(progress, percent),
    el(
      'span',
      { class: 'hint' },
      stage,
      layersTotal > 0 &&
        `, ${layersDone} of ${layersTotal} layers, ${bytes(bytesDone)} of ${bytes(bytesTotal)}`,
      ', ',
      ageSince(beganAt),
    ),
  );
}
