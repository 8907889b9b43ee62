/** How a session's bytes travel. */
export type Transport = 'spdy' | 'websocket' | 'tunnel';
/** Adds to the number of open streams; less than zero takes away. */
export type CountStreams = (change: number) => void;
type Kind = 'exec' | 'attach' | 'portforward';

/** What the streaming server has done and does, for metrics. */
export class StreamingCounts {
  /** Sessions since the start, by kind and transport. */
  readonly begun = new Map<`${Kind} ${Transport}`, number>();
  /** Sessions that are open, by kind. */
  readonly open: Record<Kind, number> = { exec: 0, attach: 0, portforward: 0 };
  /** Streams of SPDY connections and channels of WebSockets that are open, by transport. */
  readonly streams: Record<Transport, number> = { spdy: 0, websocket: 0, tunnel: 0 };
  /** Requests that were refused, by HTTP status. */
  readonly refused = new Map<number, number>();

  /** All sessions that are open. */
  get sessions(): number {
    return this.open.exec + this.open.attach + this.open.portforward;
  }

  /** Counts a session until the function that it gives back is called. */
  begin(kind: Kind, transport: Transport): () => void {
    const key = `${kind} ${transport}` as const;
    this.begun.set(key, (this.begun.get(key) ?? 0) + 1);
    this.open[kind]++;
    return () => this.open[kind]--;
  }

  /** For the sessions of a transport, to say how many streams came or went. */
  streamsOf(transport: Transport): CountStreams {
    return (change) => void (this.streams[transport] += change);
  }

  refuse(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }
}
