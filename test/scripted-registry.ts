import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Blob, BuiltImage } from './image-builder.ts';

/**
 * Looks at each request first. True: it has answered, or keeps the client waiting. `nth` counts the requests of this
 * method and path from 1.
 */
export type Script = (request: IncomingMessage, response: ServerResponse, nth: number) => boolean;

export interface ScriptedRegistry {
  /** `127.0.0.1:port` */
  address: string;
  /** What was asked for, in order: `GET /v2/…`, with ` Range` after it where only a part was. */
  requests: string[];
  /** Changes what happens from now on. */
  script: Script;
  stop(): Promise<void>;
}

/** A registry in this process that serves `images` (by `name:tag`) and misbehaves as the script says. */
export async function startScriptedRegistry(
  images: Record<string, BuiltImage>,
  script: Script = () => false,
): Promise<ScriptedRegistry> {
  const requests: string[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(request.headers.range === undefined ? line : `${line} Range`);
    const nth = (counts.get(line) ?? 0) + 1;
    counts.set(line, nth);
    if (!registry.script(request, response, nth)) serve(images, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const registry: ScriptedRegistry = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    script,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return registry;
}

/** Ends the connection with a reset after the first `bytes` of the blob, or from where the client asked. */
export function resetAfter(
  blob: Blob,
  bytes: number,
  request: IncomingMessage,
  response: ServerResponse,
): true {
  const start = rangeStart(request);
  writeHead(blob, start, response);
  response.write(blob.bytes.subarray(start, start + bytes), () => {
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
  });
  return true;
}

/** Sends the first `bytes` of the blob and then nothing. */
export function stallAfter(
  blob: Blob,
  bytes: number,
  request: IncomingMessage,
  response: ServerResponse,
): true {
  const start = rangeStart(request);
  writeHead(blob, start, response);
  response.write(blob.bytes.subarray(start, start + bytes));
  return true;
}

function serve(images: Record<string, BuiltImage>, request: IncomingMessage, response: ServerResponse): void {
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(request.url ?? '');
  const [, name, kind, which] = match ?? [];
  const built = Object.entries(images).filter(([reference]) => reference.startsWith(`${name}:`));
  const tagged = built.find(([reference]) => reference === `${name}:${which}`)?.[1].top;
  const all = built.flatMap(([, image]) => [image.top, ...image.manifests, ...image.blobs]);
  const found =
    kind === 'manifests' && tagged !== undefined ? tagged : all.find((blob) => blob.digest === which);
  if (found === undefined) {
    response.writeHead(404).end('{"errors":[]}');
    return;
  }
  const start = rangeStart(request);
  writeHead(found, start, response);
  response.end(found.bytes.subarray(start));
}

function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

function writeHead(blob: Blob, start: number, response: ServerResponse): void {
  const size = blob.bytes.length;
  response.setHeader('content-type', blob.mediaType);
  response.setHeader('content-length', size - start);
  if (start === 0) response.writeHead(200);
  else response.writeHead(206, { 'content-range': `bytes ${start}-${size - 1}/${size}` });
}
