import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Fault, type FaultKind } from '../ground/fault.ts';
import { SILENT } from '../ground/log.ts';
import { Notices } from '../ground/notices.ts';
import { RecordStore } from '../ground/records.ts';
import { NO_STAGES } from '../ground/stages.ts';
import type { Images } from '../image/images.ts';
import { ExitWatcher } from '../native/exits.ts';
import { openImages, type ImagesConfig } from '../image/open-images.ts';

/** Waits short enough for tests. */
export const QUICK = { stallTimeout: 300, answerTimeout: 1000, backoff: 10, maxBackoff: 200, tries: 3 };

/** An image store in a temporary directory, a fresh one for each test of the suite that calls `use`. */
export class ImageStore {
  root = '';
  /** Another one: the node went down in between. */
  bootId = 'boot-1';
  images!: Images;
  /** What the store has told. */
  notices = new Notices();
  #records!: RecordStore;
  #exits!: ExitWatcher;

  /** Registers the hooks of the suite at hand. */
  static use(): ImageStore {
    const store = new ImageStore();
    beforeEach(async () => {
      store.root = fs.mkdtempSync(join(tmpdir(), 'berth-images-'));
      store.#exits = await ExitWatcher.start();
      store.#records = new RecordStore(store.path('records.db'));
      store.bootId = 'boot-1';
      store.notices = new Notices();
      store.images = await store.open();
    });
    afterEach(async () => {
      await store.images.close();
      await store.#exits.close();
      store.#records.close();
      fs.rmSync(store.root, { recursive: true });
    });
    return store;
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  open(config: Partial<ImagesConfig> = {}): Promise<Images> {
    return openImages({
      root: this.root,
      records: this.#records,
      log: SILENT,
      notices: this.notices,
      stages: NO_STAGES,
      bootId: this.bootId,
      exits: this.#exits,
      config: {
        registryConfigDir: this.path('certs.d'),
        authFiles: [this.path('auth.json')],
        maxConcurrentDownloads: 4,
        maxImageBytes: 1e9,
        verifierDir: '',
        verifierTimeoutMs: 2000,
        transfer: QUICK,
        ...config,
      },
    });
  }

  /** As after a restart of the daemon. */
  async reopen(config: Partial<ImagesConfig> = {}): Promise<void> {
    await this.images.close();
    this.images = await this.open(config);
  }

  /** Shows a snapshot above `layers`, mounted, to `look`. */
  async mounted(layers: string[], look: (target: string) => void): Promise<void> {
    const target = this.path('mnt');
    fs.mkdirSync(target);
    this.images.snapshots.prepare('c1', layers);
    this.images.snapshots.mount('c1', target);
    try {
      look(target);
    } finally {
      await this.images.snapshots.unmount(target);
      this.images.snapshots.remove('c1');
      fs.rmdirSync(target);
    }
  }

  /** Directories that stand for layers, and those that are half done. */
  onDisk(): { layers: number; ingest: number } {
    return {
      layers: fs.readdirSync(this.path('layers')).length,
      ingest: fs.readdirSync(this.path('ingest')).length,
    };
  }

  async layersGone(): Promise<void> {
    await until('the layers to go', () => this.onDisk().layers === 0);
  }

  /** The work fails with this fault, tells no secret, and leaves nothing half done. */
  async refuses(work: Promise<unknown>, kind: FaultKind, pattern: RegExp): Promise<void> {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof Fault, String(error));
      assert.equal(error.kind, kind, error.message);
      assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /s3cret|tok-/);
      return true;
    });
    await until('what was half done to go', () => this.onDisk().ingest === 0);
  }
}

/** Waits for up to three seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 300, `waited in vain for ${what}`);
    await wait(10);
  }
}
