import { el, extent, fill, flash, keyed } from './dom.js';
import { ageSince, duration, imageName } from './words.js';

const PHASES = ['sandbox', 'network', 'create', 'start'];

let list;

/** The last pod starts: what Berth worked at each on one scale, and each in its own time when it is opened. */
export function showStarts({ starts }) {
  const place = document.getElementById('start-list');
  const hint = document.getElementById('starts-hint');
  if (starts.starts.length === 0) {
    list = undefined;
    hint.textContent = '';
    return fill(
      place,
      el(
        'div',
        { class: 'empty' },
        el('p', {}, 'No pod was started since the daemon began, ', ageSince(starts.since, ' ago'), '.'),
        el(
          'p',
          { class: 'hint' },
          'The next one will be drawn here stage by stage. Try ',
          el('code', {}, 'crictl runp pod.json'),
        ),
      ),
    );
  }
  hint.textContent = `${starts.starts.length}, without waiting for the caller`;
  if (list === undefined) {
    list = el('ol', { class: 'starts' });
    fill(place, el('div', { class: 'legend' }), list);
  }
  const scale = scaleOf(starts.starts);
  fill(place.firstElementChild, legend(starts.medians));
  const items = starts.starts.map((start) => ({ ...start, scale }));
  keyed(list, items, ({ sandboxId }) => sandboxId, startItem, flash);
}

function work({ phases }) {
  return PHASES.reduce((sum, phase) => sum + phases[phase], 0);
}

/** The longest start that is no outlier fills its place. */
function scaleOf(starts) {
  const works = starts.map(work).sort((a, b) => a - b);
  const usual = works[Math.floor(works.length / 2)];
  return Math.max(1, Math.min(works.at(-1), usual * 3));
}

function legend(medians) {
  return [
    el('span', {}, 'Medians'),
    ['pull', ...PHASES]
      .filter((phase) => medians[phase] !== undefined)
      .map((phase) =>
        el(
          'span',
          { class: 'key' },
          el('i', { class: `swatch ${phase}`, 'aria-hidden': true }),
          `${phase} `,
          el('b', {}, duration(medians[phase])),
        ),
      ),
  ];
}

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

function waterfall({ steps, totalMs }) {
  const span = Math.max(totalMs, 0.001);
  return el(
    'table',
    { class: 'waterfall' },
    el('caption', {}, `In its own time: ${duration(totalMs)} from the first call to the last answer`),
    el(
      'thead',
      { class: 'unseen' },
      el(
        'tr',
        {},
        ['Work', 'When', 'Took'].map((text) => el('th', { scope: 'col' }, text)),
      ),
    ),
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
