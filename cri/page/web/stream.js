/*
 * The node's events, for as long as somebody looks:
 *
 *   waiting --first event--> live --error or silence--> lost --event--> live
 *      any --the page is hidden--> asleep --it is shown--> waiting
 */

/** The daemon says something at least every ten seconds. */
const SILENCE_MS = 25_000;
/** When the browser gives up by itself (too many watch, the page is off). */
const RETRY_MS = 5000;

/** @import { NodeNews } from '../parts.ts' */

/** @typedef {'waiting' | 'live' | 'lost' | 'asleep'} StreamState */

/**
 * Calls `onEvent` with each event's data, and `onState` with what has become of the stream.
 * @param {(news: NodeNews) => void} onEvent
 * @param {(state: StreamState) => void} onState
 */
export function follow(onEvent, onState) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {number | undefined} */
  let silence;
  /** @type {number | undefined} */
  let retry;

  const close = () => {
    source?.close();
    source = undefined;
    clearTimeout(silence);
    clearTimeout(retry);
  };
  const lost = () => {
    onState('lost');
    // A refused stream is not tried again by the browser.
    if (source?.readyState !== EventSource.CLOSED) return;
    clearTimeout(retry);
    retry = setTimeout(open, RETRY_MS);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      onState('lost');
      open();
    }, SILENCE_MS);
  };
  const open = () => {
    close();
    source = new EventSource('/api/events');
    source.onmessage = (/** @type {MessageEvent<string>} */ { data }) => {
      heard();
      onEvent(/** @type {NodeNews} */ (JSON.parse(data)));
      onState('live');
    };
    source.onerror = lost;
    heard();
  };

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      close();
      onState('asleep');
    } else if (source === undefined) {
      onState('waiting');
      open();
    }
  });
  // A page that comes back from the browser's memory has lost its stream.
  addEventListener('pageshow', ({ persisted }) => (persisted ? open() : undefined));
  if (!document.hidden) open();
}
