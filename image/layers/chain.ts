import { digestOf } from '../digest.ts';

/**
 * Chain ids of layers, lowest first: each names a layer together with all below it
 * (OCI image specification, config.md, "Layer ChainID").
 */
export function chainIds(diffIds: string[]): string[] {
  let chain = '';
  return diffIds.map((diffId) => {
    chain = chain === '' ? diffId : digestOf(Buffer.from(`${chain} ${diffId}`));
    return chain;
  });
}
