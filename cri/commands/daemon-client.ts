import { Fault } from '../../ground/fault.ts';
import { Client, RpcError } from '../client.ts';
import { loadConfig } from '../config/load.ts';
import { socketPath } from '../socket.ts';

/** Asks the daemon of this configuration. Throws Fault `unavailable` when none runs. */
export async function withDaemon<T>(
  file: string | undefined,
  ask: (client: Client) => Promise<T>,
): Promise<T> {
  const path = socketPath(loadConfig(file).config.cri.listen);
  using client = new Client(path);
  try {
    return await ask(client);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.code === 'UNAVAILABLE' && /No connection established|ENOENT|ECONNREFUSED/.test(error.details)) {
      throw new Fault('unavailable', `No daemon answers on ${path}`, {
        hint: 'start it with: berth serve',
        cause: /EACCES/.test(error.details) ? 'permission denied' : undefined,
      });
    }
    throw new Fault('internal', error.details);
  }
}
