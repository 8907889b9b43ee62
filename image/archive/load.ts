import type { Installer } from '../install.ts';
import type { StoredImage } from '../catalog.ts';
import { Fault } from '../../ground/fault.ts';
export class ArchiveLoader {
  constructor(_o: { installer: Installer; directory: string; maxBytes: number }) {}
  async load(_file: string, _options: { signal?: AbortSignal; name?: string }): Promise<StoredImage[]> {
    throw new Fault('unimplemented', 'later');
  }
}
