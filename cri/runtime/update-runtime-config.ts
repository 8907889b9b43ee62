import type { UnaryHandler } from '../handler.ts';

/** Takes the node's range of pod addresses; an empty one changes nothing. */
export const updateRuntimeConfig: UnaryHandler<'UpdateRuntimeConfig'> = async ({ network }, request) => {
  const cidr = request.runtimeConfig?.networkConfig?.podCidr ?? '';
  if (cidr !== '') await network.setPodCidr(cidr);
  return {};
};
