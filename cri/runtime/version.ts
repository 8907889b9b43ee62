import type { UnaryHandler } from '../handler.ts';

/** Who answers, and in which version of the CRI. The version of the kubelet API is `0.1.0`, as every runtime says it. */
export const version: UnaryHandler<'Version'> = ({ daemon }) => ({
  version: '0.1.0',
  runtimeName: 'berth',
  runtimeVersion: daemon.version,
  runtimeApiVersion: 'v1',
});
