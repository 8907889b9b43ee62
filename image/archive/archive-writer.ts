import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import type { LayerAudit } from '../layers/audit.ts';
import type { PackedLayer, Packing } from '../layers/pack.ts';
import { BLOCK, padding } from '../tar/format.ts';
import { tarEntry, tarHeader } from '../tar/writer.ts';

/**
 * A tar file in the making. It gets its name when it is complete: `path.partial` until then, which goes when this is
 * disposed of before.
 */
export class ArchiveWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #partial: string;
  readonly #file: FileHandle;
  readonly #written = new Set<string>();
  #offset = 0;
  #complete = false;

  private constructor(path: string, partial: string, file: FileHandle) {
    this.#path = path;
    this.#partial = partial;
    this.#file = file;
  }

  /** Begins the archive. Throws a Fault that names the path when it cannot be written there. */
  static async open(path: string): Promise<ArchiveWriter> {
    const partial = `${path}.partial`;
    try {
      return new ArchiveWriter(path, partial, await open(partial, 'w', 0o600));
    } catch (cause) {
      const kind = isErrno(cause, 'ENOENT', 'ENOTDIR', 'EISDIR') ? 'invalid' : 'internal';
      throw new Fault(kind, `The archive ${path} cannot be written`, { cause });
    }
  }

  /** Adds a file, unless one of that name is there. */
  async add(name: string, content: Uint8Array | string): Promise<void> {
    if (this.#written.has(name)) return;
    this.#written.add(name);
    await this.#append(tarEntry({ path: name, content }));
  }

  /** Adds a layer's stream under the name that `nameOf` gives what was written. */
  async addLayer(
    audit: LayerAudit,
    layer: Pick<Packing, 'layer' | 'compression'>,
    nameOf: (packed: PackedLayer) => string,
    signal: AbortSignal,
  ): Promise<PackedLayer> {
    const packed = await audit.pack({ ...layer, to: this.#partial, offset: this.#offset + BLOCK }, signal);
    const name = nameOf(packed);
    // The same content again (two layers of one content): the next member takes its place.
    if (this.#written.has(name)) return packed;
    this.#written.add(name);
    // The name and the size are known only now.
    await this.#write(tarHeader({ path: name }, packed.size), this.#offset);
    this.#offset += BLOCK + packed.size;
    await this.#append(Buffer.alloc(padding(packed.size)));
    return packed;
  }

  /** Ends the archive and gives it its name, durable. */
  async finish(): Promise<void> {
    await this.#append(Buffer.alloc(2 * BLOCK));
    // A layer that was there already may have left more behind the end.
    await this.#file.truncate(this.#offset);
    await this.#file.sync();
    await rename(this.#partial, this.#path);
    this.#complete = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (!this.#complete) await rm(this.#partial, { force: true });
  }

  async #append(bytes: Buffer): Promise<void> {
    await this.#write(bytes, this.#offset);
    this.#offset += bytes.length;
  }

  async #write(bytes: Buffer, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;)
      done += (await this.#file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
