import type { Rooms } from '../handler.ts';
import type { OtherPaths } from '../metrics-server.ts';
import type { PageServer } from './page-server.ts';
import type { RecentWork } from './recent-work.ts';

/** The page, which is loaded when somebody asks for it: a daemon at which nobody looks pays nothing for it. */
export function lazyPage(rooms: Rooms, recent: RecentWork): OtherPaths {
  let loading: Promise<PageServer> | undefined;
  const load = async (): Promise<PageServer> => {
    const module = await import('./page-server.ts');
    return module.PageServer.open(rooms, recent);
  };
  return async (request, response) => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    await (await loading).answer(request, response);
  };
}

/** What ids mean to the rooms. An id that is gone means nothing. */
export function knowNames(recent: RecentWork, { pods, images }: Pick<Rooms, 'pods' | 'images'>): void {
  recent.know({
    sandbox: (id) => {
      const metadata = orUndefined(() => pods.sandbox(id))?.config.metadata;
      return metadata && { namespace: metadata.namespace, name: metadata.name };
    },
    container: (id) => {
      const found = orUndefined(() => pods.container(id));
      if (found === undefined) return undefined;
      return { id, sandboxId: found.sandboxId, name: found.config.metadata.name, imageId: found.imageId };
    },
    imageId: (name) => images.find(name)?.id,
  });
}

function orUndefined<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined; // gone meanwhile
  }
}
