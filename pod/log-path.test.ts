import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeLogDirectory, resolveLogPath } from './log-path.ts';

describe('resolveLogPath', () => {
  it('joins directory and path', () => {
    assert.equal(resolveLogPath('/var/log/pods/p', 'app/0.log'), '/var/log/pods/p/app/0.log');
    assert.equal(resolveLogPath('/var/log/pods/p/', './app.log'), '/var/log/pods/p/app.log');
  });

  it('means no log when either is missing', () => {
    assert.equal(resolveLogPath('', 'a.log'), '');
    assert.equal(resolveLogPath('/var/log', ''), '');
  });

  it('refuses every way out of the directory', () => {
    for (const bad of [
      '/etc/passwd',
      '../x',
      'a/../../x',
      'a/..',
      'a/',
      '.',
      'a\0b',
      'a\nb',
      '1/2/3/4/5/6/7/8/9.log',
    ])
      assert.throws(() => resolveLogPath('/var/log/pods/p', bad), { kind: 'invalid' }, bad);
    assert.throws(() => resolveLogPath('relative', 'a.log'), { kind: 'invalid' });
  });

  it('makes the directory of a log', () => {
    const root = mkdtempSync(join(tmpdir(), 'berth-log-'));
    try {
      const path = resolveLogPath(root, 'app/0.log');
      makeLogDirectory(path);
      assert.ok(existsSync(dirname(path)));
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
