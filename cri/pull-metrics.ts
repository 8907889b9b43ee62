import Gauge from 'prom-client/lib/gauge.js';
import Counter from 'prom-client/lib/counter.js';
import type Registry from 'prom-client/lib/registry.js';
import type { Images } from '../image/images.ts';

/**
 * The metrics of image pulls. Those that name an image are there only while it is pulled, so that their number stays
 * that of the running pulls.
 */
export function addPullMetrics(registry: Registry, pulls: Images['pulls']): void {
  const registers = [registry];
  new Gauge({
    name: 'berth_image_pulls_running',
    help: 'Image pulls that run now',
    registers,
    collect() {
      const { running, totals } = pulls();
      this.set(running.length);
      fetched.reset();
      fetched.inc(totals.bytesFetched);
      ended.reset();
      ended.inc({ outcome: 'done' }, totals.done);
      ended.inc({ outcome: 'failed' }, totals.failed);
      done.reset();
      size.reset();
      for (const { image, progress } of running) {
        if (progress === undefined) continue;
        done.set({ image }, progress.bytesDone);
        size.set({ image }, progress.bytesTotal);
      }
    },
  });
  // Set by the gauge above, which is asked first.
  const fetched = new Counter({
    name: 'berth_image_fetched_bytes_total',
    help: 'Bytes of layers that came from registries',
    registers,
  });
  const ended = new Counter({
    name: 'berth_image_pulls_total',
    help: 'Image pulls that have ended',
    labelNames: ['outcome'],
    registers,
  });
  const done = new Gauge({
    name: 'berth_image_pull_done_bytes',
    help: 'Bytes of its layers that a running pull has',
    labelNames: ['image'],
    registers,
  });
  const size = new Gauge({
    name: 'berth_image_pull_size_bytes',
    help: 'Bytes of the layers of a running pull',
    labelNames: ['image'],
    registers,
  });
}
