import type { StageTime } from './stage-times.ts';
import type { Screen } from './screen.ts';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const LABEL = 26;
const FIGURE = 10;

/**
 * A picture of time: one bar a stage, each beginning where the one before it ended, so that the whole reads like the
 * way of the pod through the house. Lines without colours and without trailing space.
 */
export function stageBars(times: StageTime[], columns: number): { label: string; bar: string; ms: number }[] {
  const total = times.reduce((sum, { ms }) => sum + ms, 0);
  const width = Math.max(columns - LABEL - FIGURE - 4, 20);
  let begun = 0;
  let operation = '';
  return times.map((time) => {
    const label = time.operation === operation ? '' : time.operation;
    operation = time.operation;
    const bar = segment((begun / total) * width, ((begun + time.ms) / total) * width);
    begun += time.ms;
    return { label: `${label.padEnd(16)} ${time.stage.padEnd(9)}`, bar, ms: time.ms };
  });
}

/** Blocks for what lies between `from` and `to` (in columns), in eighths of a column from a whole column on. */
function segment(from: number, to: number): string {
  const eighths = Math.max(Math.round((to - from) * 8), 1);
  return ' '.repeat(Math.floor(from)) + '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
}

/** Draws the bars with their figures. */
export function drawBars(screen: Screen, times: StageTime[]): void {
  for (const { label, bar, ms } of stageBars(times, screen.columns))
    screen.line(
      `  ${label} ${screen.paint('cyan', `${ms.toFixed(2)} ms`.padStart(FIGURE))} ${screen.paint('green', bar)}`,
    );
}
