/** How a session's bytes travel. */
export type Transport = 'spdy' | 'websocket' | 'tunnel';
type Kind = 'exec' | 'attach' | 'portforward';

/** What the streaming server has done and does, for metrics. */
export class StreamingCounts {
  /** Sessions since the start, by kind and transport. */
  readonly begun = new Map<`${Kind} ${Transport}`, number>();
  /** Sessions that are open, by kind. */
  readonly open: Record<Kind, number> = { exec: 0, attach: 0, portforward: 0 };
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

  refuse(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }
}
