/** A bridge with addresses by host-local, which every CNI list of a usual node begins with. */
export function bridgePlugin(dataDir: string): object {
  return {
    type: 'bridge',
    bridge: 'cni0',
    isGateway: true,
    ipMasq: true,
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: '10.87.0.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }],
      dataDir,
    },
  };
}
