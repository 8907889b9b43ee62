/** The client broke the protocol, or a bound: the connection ends. */
export class SpdyError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SpdyError';
  }
}

/** A stream that ended before its time: the client reset it, or the connection is gone. */
export class StreamReset extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StreamReset';
  }
}
