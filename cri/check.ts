import type { RecordStore } from '../ground/records.ts';
import type { Images, StoreReport } from '../image/images.ts';
import { checkPods, type PodFinding } from '../pod/check.ts';

/** What `berth check` says: the records of pods held against the kernel, and the image store. */
export interface CheckReport {
  /** Whether a running daemon looked. */
  live: boolean;
  pods: PodFinding[];
  store: StoreReport;
}

/** Looks at all of it. Reading every layer takes its time. */
export async function checkAll(
  parts: { records: RecordStore; images: Images; state: string; live: boolean },
  options: { repair: boolean; signal: AbortSignal },
): Promise<CheckReport> {
  const { records, images, state, live } = parts;
  const pods = checkPods(records, state, live);
  return { live, pods, store: await images.check(options) };
}
