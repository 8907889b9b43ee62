/** Items a part: some 500 KiB of the largest objects that a kubelet makes. */
const ITEMS_A_PART = 256;

/** Converts a list part by part. An empty list has no parts (CRI: a part carries at least one item). */
export function* inChunks<T, W>(
  items: T[],
  convert: (item: T) => W,
  itemsAPart = ITEMS_A_PART,
): Generator<W[]> {
  for (let at = 0; at < items.length; at += itemsAPart)
    yield items.slice(at, at + itemsAPart).map((item) => convert(item));
}
