import { Limit } from '../ground/limit.ts';
import { E, ErrnoError } from './errno.ts';
import { bind, check } from './libc.ts';
import { parseAddress, type Address } from './netlink-addresses.ts';
import { AF_BRIDGE, attribute, text, u32, type RtMessage } from './netlink-attributes.ts';
import {
  DUMP_TRIES,
  failureOf,
  NETLINK,
  netlinkHeader,
  NetlinkSocket,
  NLM_F,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink-socket.ts';
import { IFF_UP, linkHeader, parseLink, type Link } from './netlink-links.ts';
import { parseQueue } from './netlink-traffic.ts';
import { parseNeighbour, parseRoute, routeQuery, type Neighbour, type Route } from './netlink-routes.ts';

export * from './netlink-addresses.ts';
export * from './netlink-bridges.ts';
export * from './netlink-traffic.ts';
export {
  ifb,
  linkAllMulticast,
  linkDel,
  linkDown,
  linkHeader,
  linkPromiscuous,
  type LinkRef,
  linkSet,
  linkUp,
  LOOPBACK_INDEX,
  veth,
  type VethOptions,
  vxlan,
  type VxlanOptions,
  type Link,
  type LinkStats,
} from './netlink-links.ts';
export * from './netlink-routes.ts';
export type { RtMessage } from './netlink-attributes.ts';

const interfaceRequest = bind<[number, number, Buffer]>(
  'int ioctl(int fd, unsigned long request, void *ifreq)',
);
const nameToIndex = bind<[string]>('unsigned int if_nametoindex(const char *name)');

const SIOCGIFFLAGS = 0x8913;
const IFNAMSIZ = 16;
const IFREQ_SIZE = 40;

const RTM = { NEWLINK: 16, GETLINK: 18, GETADDR: 22, NEWROUTE: 24, GETROUTE: 26, GETNEIGH: 30, GETQDISC: 38 };
const IFLA_IFNAME = 3;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_SKIP_STATS = 8;

/** The kernel fills a datagram of a dump up to this size. */
const RECEIVE_SIZE = 32 * 1024;
/** Acknowledgements of one datagram must find room in the socket's receive buffer. */
const BATCH = 64;

/** One for all sockets: the kernel takes the changes one by one, so more at once would only hold more threads. */
const POOL = new Limit(1);

/**
 * The index of a link in the network namespace of the calling thread, undefined when there is none of that name.
 * Unlike a request over netlink it never waits for the lock of the kernel's link changes.
 */
export function linkIndex(name: string): number | undefined {
  const index = nameToIndex(name);
  return index === 0 ? undefined : index;
}

/**
 * A socket of rtnetlink(7): it speaks to the network namespace in which its thread was when it was made. The kernel
 * answers within the call, so nothing here waits.
 */
export class Rtnl implements Disposable {
  readonly #socket = new NetlinkSocket(NETLINK.ROUTE, { receives: RECEIVE_SIZE });
  #sequence = 0;

  /**
   * Sends the requests in one datagram and takes one acknowledgement each. The kernel tries all of them in order,
   * those after a failure too; the first failure is thrown as an ErrnoError whose call is the request's name, with
   * the kernel's own words when it has any.
   */
  exec(messages: readonly RtMessage[]): void {
    let failure: ErrnoError | undefined;
    for (let at = 0; at < messages.length; at += BATCH)
      failure ??= this.#batch(messages.slice(at, at + BATCH));
    if (failure !== undefined) throw failure;
  }

  /**
   * As `exec`, but the kernel works on a thread of Node's pool: it has one lock for all changes of links, and while
   * namespaces are taken down whoever asks for it waits tens of milliseconds. Until the promise settles nothing else
   * may be asked of this socket.
   */
  async execInPool(messages: readonly RtMessage[]): Promise<void> {
    let failure: ErrnoError | undefined;
    for (let at = 0; at < messages.length; at += BATCH) {
      const part = messages.slice(at, at + BATCH);
      const { first, datagram } = this.#compose(part, NLM_F.ACK);
      await POOL.run(async () => {
        await this.#socket.sendInPool(part[0]!.name, datagram);
        failure ??= this.#acknowledgements(part, first);
      });
    }
    if (failure !== undefined) throw failure;
  }

  /**
   * Asks for all objects of a kind: the bodies of the answers. `type` is the RTM_GET… number, `body` its header and
   * filter. A dump that a change has interrupted is taken again.
   */
  dump(name: string, type: number, body: Buffer): Buffer[] {
    for (let tries = 1; ; tries++) {
      const answers: Buffer[] = [];
      let interrupted = false;
      this.#send([{ name, type, flags: NLM_F.DUMP, body }]);
      for (let done = false; !done;)
        for (const message of this.#socket.receive(name)) {
          if ((message.flags & NLM_F.DUMP_INTR) !== 0) interrupted = true;
          if (message.type === NLMSG_DONE) done = true;
          else if (message.type === NLMSG_ERROR)
            throw failureOf(name, message) ?? new ErrnoError(name, E.EPROTO);
          else answers.push(Buffer.from(message.body));
        }
      if (!interrupted || tries === DUMP_TRIES) return answers;
    }
  }

  /** The link of this name, undefined when there is none. `stats` adds its counters. */
  linkByName(name: string, options: { stats?: boolean } = {}): Link | undefined {
    const mask = options.stats === true ? [] : [attribute(IFLA_EXT_MASK, u32(RTEXT_FILTER_SKIP_STATS))];
    const body = Buffer.concat([linkHeader(0), attribute(IFLA_IFNAME, text(name)), ...mask]);
    const call = `get link ${name}`;
    this.#send([{ name: call, type: RTM.GETLINK, flags: NLM_F.ACK, body }]);
    let link: Link | undefined;
    for (;;)
      for (const message of this.#socket.receive(call)) {
        if (message.type === RTM.NEWLINK) link = parseLink(message.body);
        if (message.type !== NLMSG_ERROR) continue;
        const failure = failureOf(call, message);
        if (failure === undefined || failure.errno === E.ENODEV) return link;
        throw failure;
      }
  }

  /** Whether a link is up. Unlike a request it never waits for the lock of the kernel's link changes (netdevice(7)). */
  isUp(name: string): boolean {
    const request = Buffer.alloc(IFREQ_SIZE);
    request.write(name.slice(0, IFNAMSIZ - 1));
    check(`ioctl SIOCGIFFLAGS ${name}`, interfaceRequest(this.#socket.fd, SIOCGIFFLAGS, request));
    return (request.readUInt16LE(IFNAMSIZ) & IFF_UP) !== 0;
  }

  /** How a packet to this address would leave: undefined when nothing leads there. */
  routeTo(address: string): { link: string; gateway: string | undefined } | undefined {
    const call = `get route to ${address}`;
    this.#send([{ name: call, type: RTM.GETROUTE, flags: NLM_F.ACK, body: routeQuery(address) }]);
    let route: Route | undefined;
    for (;;)
      for (const message of this.#socket.receive(call)) {
        if (message.type === RTM.NEWROUTE) route = parseRoute(message.body);
        if (message.type !== NLMSG_ERROR) continue;
        const failure = failureOf(call, message);
        if (failure !== undefined && failure.errno !== E.ENETUNREACH && failure.errno !== E.EHOSTUNREACH)
          throw failure;
        const link = this.links().find(({ index }) => index === route?.index)?.name;
        return link === undefined ? undefined : { link, gateway: route?.gateway };
      }
  }

  links(): Link[] {
    const body = Buffer.concat([linkHeader(0), attribute(IFLA_EXT_MASK, u32(RTEXT_FILTER_SKIP_STATS))]);
    return this.dump('get links', RTM.GETLINK, body).map(parseLink);
  }

  /** The addresses of all links, of both families. */
  addrs(): Address[] {
    return this.dump('get addresses', RTM.GETADDR, Buffer.alloc(8)).map(parseAddress);
  }

  /** The routes of all tables, of both families. */
  routes(): Route[] {
    return this.dump('get routes', RTM.GETROUTE, Buffer.alloc(12)).map(parseRoute);
  }

  /** Where the links of a VXLAN send frames to. */
  forwards(): Neighbour[] {
    const body = Buffer.alloc(12);
    body[0] = AF_BRIDGE;
    return this.dump('get forwarding entries', RTM.GETNEIGH, body).map(parseNeighbour);
  }

  /** The queueing disciplines of all links. */
  queues(): { index: number; kind: string }[] {
    return this.dump('get queues', RTM.GETQDISC, Buffer.alloc(20)).map(parseQueue);
  }

  /** The neighbours of all links, of both families. */
  neighbours(): Neighbour[] {
    return this.dump('get neighbours', RTM.GETNEIGH, Buffer.alloc(12)).map(parseNeighbour);
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #batch(messages: readonly RtMessage[]): ErrnoError | undefined {
    return this.#acknowledgements(messages, this.#send(messages, NLM_F.ACK));
  }

  /** Takes the acknowledgement of each message; the first failure. */
  #acknowledgements(messages: readonly RtMessage[], first: number): ErrnoError | undefined {
    let failure: ErrnoError | undefined;
    for (let left = messages.length; left > 0;)
      for (const answer of this.#socket.receive(messages[0]!.name)) {
        const asked = messages[answer.sequence - first];
        if (answer.type !== NLMSG_ERROR || asked === undefined) continue;
        left--;
        failure ??= failureOf(asked.name, answer);
      }
    return failure;
  }

  /** Sends one datagram; the sequence number of its first message. */
  #send(messages: readonly RtMessage[], flags = 0): number {
    const { first, datagram } = this.#compose(messages, flags);
    this.#socket.send(messages[0]!.name, datagram);
    return first;
  }

  #compose(messages: readonly RtMessage[], flags: number): { first: number; datagram: Buffer } {
    const first = this.#sequence + 1;
    const parts = messages.flatMap((message) => {
      const { type, body } = message;
      return [netlinkHeader(type, message.flags | flags, ++this.#sequence, body.length), body];
    });
    return { first, datagram: Buffer.concat(parts) };
  }
}
