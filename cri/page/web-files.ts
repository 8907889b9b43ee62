import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** A file of the page, ready to be sent. */
export interface WebFile {
  type: string;
  /** Quoted, as the header wants it. */
  etag: string;
  plain: Buffer;
  gzip: Buffer;
  br: Buffer;
}

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Paths of the page and the files in `web/` that answer them. */
const FILES: Record<string, string> = {
  '/': 'page.html',
  '/page.css': 'page.css',
  '/icon.svg': 'icon.svg',
  '/main.js': 'main.js',
  '/dom.js': 'dom.js',
  '/parts.js': 'parts.js',
  '/words.js': 'words.js',
  '/stream.js': 'stream.js',
  '/overview.js': 'overview.js',
  '/now.js': 'now.js',
  '/pods.js': 'pods.js',
  '/starts.js': 'starts.js',
  '/images.js': 'images.js',
  '/network.js': 'network.js',
};

/**
 * Reads a file of the page. The files lie in `web/` beside this module as they are sent: whoever bundles this module
 * copies that directory beside the bundle (`cri/page/web` becomes `<directory of the bundle>/web`).
 */
function readPageFile(name: string): Promise<Buffer> {
  return readFile(join(import.meta.dirname, 'web', name));
}

/** Reads and compresses all files of the page, once, into memory: by path. Rejects when one cannot be read. */
export async function loadWebFiles(): Promise<ReadonlyMap<string, WebFile>> {
  return new Map(
    await Promise.all(
      Object.entries(FILES).map(async ([path, name]): Promise<[string, WebFile]> => {
        const plain = await readPageFile(name);
        const [zipped, br] = await Promise.all([
          promisify(gzip)(plain, { level: 9 }),
          promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }),
        ]);
        const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
        return [path, { type: TYPES[name.split('.').at(-1)!]!, etag, plain, gzip: zipped, br }];
      }),
    ),
  );
}
