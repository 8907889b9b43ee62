import assert from 'node:assert/strict';
import { Screen } from './screen.ts';

function written(isTTY: boolean, env: NodeJS.ProcessEnv): string {
  let text = '';
  const write = (part: unknown): boolean => {
    text += String(part);
    return true;
  };
  const screen = new Screen({ write, isTTY, columns: 80 }, env);
  screen.line(screen.paint('red', 'word'));
  return text;
}

describe('the demo screen', () => {
  it('paints on a terminal alone', () => {
    assert.equal(written(true, {}), '\u001b[31mword\u001b[39m\n');
    assert.equal(written(false, {}), 'word\n');
    assert.equal(written(true, { NO_COLOR: '1' }), 'word\n');
  });
});
