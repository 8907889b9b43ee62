/** Resolves after `ms` milliseconds, or rejects with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/**
 * Does `work` with a signal that aborts with a TimeoutError after `ms` milliseconds, and with the reason of `signal`
 * when that one aborts. Its timer ends with the work; that of `AbortSignal.timeout` would keep all that listens to it
 * for the whole time.
 */
export async function inTime<T>(
  ms: number,
  work: (either: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const abort = new AbortController();
  const gone = (): void => abort.abort(signal!.reason);
  if (signal?.aborted === true) gone();
  signal?.addEventListener('abort', gone, { once: true });
  const late = (): void =>
    abort.abort(new DOMException(`It took longer than ${ms / 1000} s`, 'TimeoutError'));
  const timer = setTimeout(late, ms).unref();
  try {
    return await work(abort.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', gone);
  }
}

/**
 * The promise's result, or the signal's reason, whichever comes first. The work behind the promise goes on:
 * `late` receives what arrives after the abort, so that it is given back and not lost.
 */
export function waitOrAbort<T>(
  work: Promise<T>,
  signal?: AbortSignal,
  late?: (value: T) => void,
): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    let over = false;
    const abort = (): void => {
      if (over) return;
      over = true;
      reject(signal.reason);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener('abort', abort);
        if (over) return late?.(value);
        over = true;
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort);
        if (over) return;
        over = true;
        reject(error);
      },
    );
  });
}
