import type { Book } from './book.ts';
import type { Line } from './line.ts';

/** A kubelet's image manager: pulls what is missing, one image at a time, and removes what nobody uses. */
export class ImageKeeper {
  readonly #line: Line;
  readonly #book: Book;
  #pulls: Promise<unknown> = Promise.resolve();
  /** Images that a pod is about to use: they are not removed. */
  readonly #wanted = new Map<string, number>();

  constructor(line: Line, book: Book) {
    this.#line = line;
    this.#book = book;
  }

  /** The reference by which a container gets the image; pulls it when it is not there. */
  async ensure(image: string): Promise<string> {
    this.#wanted.set(image, performance.now());
    const present = await this.#present(image);
    if (present !== undefined) return present;
    // serializeImagePulls
    const pull = this.#pulls.then(async () => {
      const meanwhile = await this.#present(image);
      if (meanwhile !== undefined) return meanwhile;
      const { imageRef } = await this.#line.call('PullImage', { image: { image } });
      if (imageRef === '') this.#book.complain('PullImage answers without a reference', image);
      this.#book.did('images pulled');
      if ((await this.#present(image)) === undefined)
        this.#book.complain('an image is not there after its pull', image);
      return imageRef;
    });
    this.#pulls = pull.catch(() => {});
    return pull;
  }

  async #present(image: string): Promise<string | undefined> {
    const { image: found } = await this.#line.call('ImageStatus', { image: { image } });
    if (found === null) return undefined;
    if (found.id === '' || found.size === 0n)
      this.#book.complain('an image has no id or no size', `${image}: ${found.id}`);
    return found.id;
  }

  /** Image garbage collection: all images that no container uses, but those of `kept`. */
  async collect(kept: string[]): Promise<void> {
    const { images } = await this.#line.call('ListImages', {});
    const { containers } = await this.#line.call('ListContainers', {});
    const used = new Set(
      containers.flatMap(({ imageId, imageRef, image }) => [imageId, imageRef, image?.image]),
    );
    for (const { id, repoTags, repoDigests, size, pinned } of images) {
      if (id === '' || size === 0n) this.#book.complain('a listed image has no id or no size', id);
      const names = [id, ...repoTags, ...repoDigests];
      const wanted = names.some((name) => performance.now() - (this.#wanted.get(name) ?? -Infinity) < 10_000);
      if (pinned || wanted || names.some((name) => used.has(name) || kept.includes(name))) continue;
      await this.#line.call('RemoveImage', { image: { image: id } });
      this.#book.did('images removed');
      const { image } = await this.#line.call('ImageStatus', { image: { image: id } });
      if (image !== null) this.#book.complain('an image is there after RemoveImage', id);
    }
  }
}
