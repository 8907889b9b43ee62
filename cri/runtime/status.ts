import type { Answer, Rooms, UnaryHandler } from '../handler.ts';
import { infoToWire } from '../convert/info.ts';
import { runtimeConditions, runtimeHandlers, servesUserNamespaces } from '../convert/runtime-status.ts';
import { censusOf } from '../census.ts';

/**
 * Whether pods can run here: RuntimeReady, NetworkReady, the handlers. Verbose adds configuration, census and versions.
 * From memory; only the first answers after a node's first start wait until it is known which handlers work, since a
 * kubelet takes a node out of service that says for a moment that none does.
 */
export const status: UnaryHandler<'Status'> = async (rooms, { verbose }, { signal }) => {
  await rooms.pods.handlersTried(signal);
  return answer(rooms, verbose);
};

const answer = (rooms: Rooms, verbose: boolean): Answer<'Status'> => ({
  status: { conditions: runtimeConditions(rooms) },
  runtimeHandlers: runtimeHandlers(rooms.pods.handlers()),
  features: {
    supplementalGroupsPolicy: true,
    userNamespacesHostNetwork: servesUserNamespaces(rooms.pods.handlers()),
  },
  info: verbose
    ? infoToWire({
        config: rooms.daemon.config(),
        census: censusOf(rooms),
        versions: { berth: rooms.daemon.version, ...rooms.daemon.versions },
      })
    : {},
});
