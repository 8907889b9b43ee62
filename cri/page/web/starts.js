import { el, extent } from './dom.js';
import { legendKey, ListSection, tableHead } from './parts.js';
import { ageSince, duration, imageName } from './words.js';

/** @import { Phase, StartPart, StartsPart } from '../parts.ts' */
/** @import { Shown } from './main.js' */

/**
 * A start, and how many milliseconds fill its place.
 * @typedef {StartPart & { scale: number }} StartItem
 */

/** @type {readonly Phase[]} */
const PHASES = ['sandbox', 'network', 'create', 'start'];

const section = new ListSection('start', 'ol');

/**
 * The last pod starts: what Berth worked at each on one scale, and each in its own time when it is opened.
 * @param {Shown} shown
 */
export function showStarts({ starts }) {
  if (starts.starts.length === 0)
    return section.empty(
      ['No pod was started since the daemon began, ', ageSince(starts.since, ' ago'), '.'],
      'The next one will be drawn here stage by stage. Try ',
      el('code', {}, 'crictl runp pod.json'),
    );
  const scale = scaleOf(starts.starts);
  section.show({
    hint: `${starts.starts.length}, without waiting for the caller`,
    above: legend(starts.medians),
    items: starts.starts.map((start) => ({ ...start, scale })),
    keyOf: ({ sandboxId }) => sandboxId,
    make: startItem,
  });
}

/** @param {StartPart} start */
function work({ phases }) {
  return PHASES.reduce((sum, phase) => sum + phases[phase], 0);
}

/**
 * The longest start that is no outlier fills its place.
 * @param {readonly StartPart[]} starts
 */
function scaleOf(starts) {
  const works = starts.map(work).sort((a, b) => a - b);
  const usual = works[Math.floor(works.length / 2)] ?? 0;
  return Math.max(1, Math.min(works.at(-1) ?? 0, usual * 3));
}

/** @param {StartsPart['medians']} medians */
function legend(medians) {
  const phases = /** @type {const} */ (['pull', ...PHASES]);
  return el(
    'div',
    { class: 'legend' },
    el('span', {}, 'Medians'),
    phases.map((phase) => {
      const median = medians[phase];
      return median !== undefined && legendKey(phase, `${phase} `, el('b', {}, duration(median)));
    }),
  );
}

/** @param {StartItem} start */
function startItem(start) {
  const { name, namespace, beganAt, phases, outcome, scale } = start;
  const total = work(start);
  const bar = el('span', { class: 'bar', 'aria-hidden': true });
  let from = 0;
  for (const phase of PHASES) {
    const percent = Math.min(100 - from, (100 * phases[phase]) / scale);
    if (percent <= 0) continue;
    bar.append(extent(el('i', { class: phase }), percent, from));
    from += percent;
  }
  const spoken = PHASES.map((phase) => `${phase} ${duration(phases[phase])}`).join(', ');
  return el(
    'li',
    {},
    el(
      'details',
      {},
      el(
        'summary',
        {},
        el('span', { class: 'name' }, el('span', { class: 'hint' }, `${namespace}/`), name),
        bar,
        el('span', { class: 'unseen' }, `${spoken}; `),
        el(
          'span',
          { class: 'total' },
          outcome === 'failed' ? el('strong', { class: 'bad' }, 'failed') : duration(total),
        ),
        el(
          'span',
          { class: 'aside hint' },
          phases.pull > 0 && `pull ${duration(phases.pull)}, `,
          ageSince(beganAt, ' ago'),
        ),
      ),
      waterfall(start),
    ),
  );
}

/** @param {StartPart} start */
function waterfall({ steps, totalMs }) {
  const span = Math.max(totalMs, 0.001);
  return el(
    'table',
    { class: 'waterfall' },
    el('caption', {}, `In its own time: ${duration(totalMs)} from the first call to the last answer`),
    tableHead(['Work', 'When', 'Took'], { class: 'unseen' }),
    el(
      'tbody',
      {},
      steps.map(({ phase, subject, startMs, ms, stages, outcome }) =>
        el(
          'tr',
          {},
          el(
            'th',
            { scope: 'row' },
            phase,
            subject !== '' && el('span', { class: 'hint' }, ` ${imageName(subject)}`),
          ),
          el(
            'td',
            {},
            el(
              'span',
              { class: 'bar' },
              extent(
                el('i', { class: phase }),
                Math.max(0.4, (100 * ms) / span),
                Math.min(99.6, (100 * startMs) / span),
              ),
            ),
            el(
              'span',
              { class: 'stages hint' },
              stages.map(({ stage, ms: took }) => `${stage} ${duration(took)}`).join(' · '),
            ),
          ),
          el(
            'td',
            { class: 'took' },
            outcome === 'failed' ? el('strong', { class: 'bad' }, 'failed') : duration(ms),
          ),
        ),
      ),
    ),
  );
}
