import type { ImageRecord, LayerSummary } from '../../image/images.ts';
import type { ContainerView } from '../../pod/pods.ts';
import type { ImagePart, ImagesPart, LayerPart } from './parts.ts';

/** The images with what each layer costs and who shares it. */
export function imagesOf(
  images: readonly ImageRecord[],
  summaries: readonly LayerSummary[],
  containers: readonly ContainerView[],
): ImagesPart {
  const byChain = new Map(summaries.map((layer) => [layer.chainId, layer]));
  const layers = new Map<string, LayerPart>();
  for (const { content, bytes } of summaries) layers.set(content, { id: content, bytes, images: 0 });
  const users = new Map<string, number>();
  for (const { imageId } of containers) users.set(imageId, (users.get(imageId) ?? 0) + 1);
  const stacks = images.map((image) => {
    const ids = image.layers.flatMap((chain) => byChain.get(chain)?.content ?? []);
    for (const id of new Set(ids)) layers.get(id)!.images++;
    return { image, ids };
  });
  const parts = stacks.map(({ image, ids }): ImagePart => {
    const stack = [...new Set(ids)].map((id) => layers.get(id)!);
    return {
      id: image.id,
      tags: image.repoTags,
      digests: image.repoDigests,
      bytes: sum(stack),
      ownBytes: sum(stack.filter((layer) => layer.images === 1)),
      pinned: image.pinned,
      containers: users.get(image.id) ?? 0,
      layers: ids,
    };
  });
  return {
    diskBytes: sum([...layers.values()]),
    apartBytes: sum(parts),
    images: parts.sort((a, b) => b.bytes - a.bytes || (a.id < b.id ? -1 : 1)),
    layers: [...layers.values()],
  };
}

function sum(parts: readonly { bytes: number }[]): number {
  return parts.reduce((total, { bytes }) => total + bytes, 0);
}
