import type { UnaryHandler } from '../handler.ts';
import { infoToWire } from '../convert/info.ts';
import { runtimeConditions, runtimeHandlers, servesUserNamespaces } from '../convert/runtime-status.ts';
import { censusOf } from '../census.ts';

/** Whether pods can run here: RuntimeReady, NetworkReady, the handlers. Verbose adds configuration, census and versions. */
export const status: UnaryHandler<'Status'> = (rooms, { verbose }) => ({
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
