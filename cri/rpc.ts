import { services, type Codec, type Input, type Method } from './proto/codec.js';

type Services = typeof services;
type AllMethods = Services['runtime.v1.RuntimeService'] &
  Services['runtime.v1.ImageService'] &
  Services['berth.v1.Admin'];

/** The name of any RPC that Berth speaks: the CRI's and its own. */
export type Rpc = keyof AllMethods;
/** RPCs that answer once. */
export type UnaryRpc = { [R in Rpc]: AllMethods[R]['stream'] extends true ? never : R }[Rpc];
/** RPCs that answer with a stream. */
export type StreamRpc = Exclude<Rpc, UnaryRpc>;

/** A request as it arrives: every field has a value. */
export type RequestOf<R extends Rpc> =
  AllMethods[R] extends Method<infer Request, infer _Response, infer _Stream> ? Request : never;
/** A response as it arrives. */
export type ResponseOf<R extends Rpc> =
  AllMethods[R] extends Method<infer _Request, infer Response, infer _Stream> ? Response : never;
/** A request as a caller writes it: any field may be left out. */
export type RequestInput<R extends Rpc> = Input<RequestOf<R>>;
/** A response as a handler writes it. */
export type ResponseInput<R extends Rpc> = Input<ResponseOf<R>>;

/** One RPC at run time. */
export interface RpcDescription {
  rpc: Rpc;
  /** The HTTP/2 path: `/runtime.v1.RuntimeService/Version`. */
  path: string;
  request: Codec<object>;
  response: Codec<object>;
  stream: boolean;
}

/** Every RPC of every service, in the order of the proto. */
export const RPCS: ReadonlyMap<Rpc, RpcDescription> = new Map(
  Object.entries(services).flatMap(([service, methods]) =>
    Object.entries(methods).map(([rpc, method]) => [
      rpc as Rpc,
      { rpc: rpc as Rpc, path: `/${service}/${rpc}`, ...(method as Method<object, object, boolean>) },
    ]),
  ),
);

/** The description of one RPC. */
export function rpcOf(rpc: Rpc): RpcDescription {
  return RPCS.get(rpc)!;
}
