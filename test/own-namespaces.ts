import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MARK = 'BERTH_TEST_OWN_NAMESPACES';

/**
 * A suite whose code under test changes the network of the namespace that its process is in: the file runs again, by
 * a mocha of its own, in a network and mount namespace that end with it. `url` is the test file's import.meta.url.
 */
export function describeInOwnNamespaces(
  title: string,
  url: string,
  suite: (this: Mocha.Suite) => void,
): void {
  if (process.env[MARK] === url) {
    describe(title, suite);
    return;
  }
  describe(title, () => {
    it('passes in namespaces of its own', function () {
      this.timeout(300_000);
      const mocha = fileURLToPath(import.meta.resolve('mocha/bin/mocha.js'));
      const file = fileURLToPath(url);
      // Programs keep locks in /run: the host's stay the host's.
      const script = 'ip link set lo up && mount -t tmpfs run /run && exec "$@"';
      const node = [process.execPath, mocha, '--no-config', '--timeout', '20000', file];
      const args = ['-m', '-n', '--propagation', 'private', 'sh', '-c', script, 'sh', ...node];
      const { status, stdout, stderr } = spawnSync('unshare', args, {
        encoding: 'utf8',
        env: { ...process.env, [MARK]: url },
      });
      if (process.env['BERTH_TEST_VERBOSE'] !== undefined) process.stdout.write(stdout);
      assert.equal(status, 0, `${stdout}\n${stderr}`);
    });
  });
}
