import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { sleep } from '../ground/wait.ts';
import { ExitWatcher } from '../native/exits.ts';
import { InprocessSandboxMaker } from './sandbox-maker-inprocess.ts';
import type { SandboxRequest } from './sandbox-maker.ts';

describe('a maker of sandboxes in process', () => {
  // No other maker is there, which would open files as it prepares its next sandbox.
  it('leaves no file descriptor when it closes, and says why it cannot serve any more', async () => {
    const exits = await ExitWatcher.start();
    try {
      const count = () => readdirSync('/proc/self/fd').length;
      const before = count();
      const wanted: SandboxRequest = {
        id: 'late',
        hostname: 'late',
        namespaces: { net: false, ipc: false, pid: false },
        sysctls: {},
        cgroupParent: '/berth-test',
      };
      const maker = new InprocessSandboxMaker({ exits });
      const started = maker.start();
      await maker.close();
      await maker.close();
      await started;
      await assert.rejects(maker.make(wanted), /closed/);
      const idle = new InprocessSandboxMaker({ exits });
      await idle.close();
      await assert.rejects(idle.start(), /closed/);
      await assert.rejects(idle.make(wanted), /closed/);
      // What ends with a thread is closed in its own time.
      while (count() > before) await sleep(5);
      assert.equal(count(), before);
    } finally {
      await exits.close();
    }
  });
});
