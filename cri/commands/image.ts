import { resolve } from 'node:path';
import type * as wire from '../proto/codec.js';
import { withDaemon } from './daemon-client.ts';
import { PullBars } from './pull-bars.ts';
import { bytes, table } from './text.ts';

/** `berth image load FILE`: the daemon imports an OCI layout or docker archive. */
export async function imageLoad(file: string, options: { config?: string; name?: string }): Promise<void> {
  const request = { path: resolve(file), name: options.name ?? '' };
  const { images } = await withDaemon(options.config, (client) => client.call('LoadImage', request));
  for (const { id, repoTags, size } of images)
    console.log(`${repoTags.join(', ') || '<no name>'}  ${id}  ${bytes(Number(size))}`);
}

/** `berth image pull NAME`: the image's id on standard output, how it goes on standard error. */
export async function imagePull(image: string, options: { config?: string }): Promise<void> {
  const bars = new PullBars(process.stderr);
  await withDaemon(options.config, async (client) => {
    for await (const { layers, imageRef } of client.stream('WatchPull', { image })) {
      bars.show(layers);
      if (imageRef !== '') console.log(imageRef);
    }
  });
}

/** `berth image save FILE NAME...`: the daemon writes an archive that every tool reads. */
export async function imageSave(
  file: string,
  images: string[],
  options: { config?: string; format?: string; compress?: string },
): Promise<void> {
  const request = { images, path: resolve(file), format: options.format, compression: options.compress };
  await withDaemon(options.config, (client) => client.call('SaveImage', request));
}

/** `berth image inspect NAME` */
export async function imageInspect(image: string, options: { config?: string }): Promise<void> {
  const { json } = await withDaemon(options.config, (client) => client.call('InspectImage', { image }));
  console.log(JSON.stringify(JSON.parse(json), undefined, 2));
}

/** `berth image list` */
export async function imageList(options: { config?: string; json?: boolean }): Promise<void> {
  const { images } = await withDaemon(options.config, (client) => client.call('ListImages', {}));
  if (options.json === true) {
    const plain = images.map((image) => ({ ...image, size: Number(image.size), uid: undefined }));
    console.log(JSON.stringify(plain, undefined, 2));
  } else process.stdout.write(table(['NAME', 'IMAGE', 'SIZE'], images.map(row)));
}

/** `berth image remove NAME` */
export async function imageRemove(image: string, options: { config?: string }): Promise<void> {
  await withDaemon(options.config, (client) => client.call('RemoveImage', { image: { image } }));
}

function row({ id, repoTags, repoDigests, size }: wire.Image): string[] {
  const name = repoTags.join(', ') || repoDigests[0] || '<no name>';
  return [name, id.replace('sha256:', '').slice(0, 13), bytes(Number(size))];
}
