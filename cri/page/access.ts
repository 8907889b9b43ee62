import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** When the page is served: `[metrics] page`. */
export type PageSetting = 'loopback' | 'on' | 'off';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether the page is served where the metrics listen (`127.0.0.1:9464`, `[::1]:9464`, empty for nowhere). */
export function pageIsServed(setting: PageSetting, listen: string): boolean {
  if (listen === '' || setting === 'off') return false;
  return setting === 'on' || isLoopback(hostOf(listen));
}

/**
 * Why a request is refused; undefined when it is not. A page of somebody else must not read the node through the user's
 * browser: its own name, made to lead here (DNS rebinding), is not among those that the Host header may have, which are
 * addresses, `localhost` and `ownName`; and what it asks for under ours, the browser marks (Fetch Metadata).
 */
export function refusalOf(headers: IncomingHttpHeaders, ownName: string): string | undefined {
  const host = hostOf(headers.host ?? '').toLowerCase();
  if (isIP(host) === 0 && host !== 'localhost' && host !== ownName.toLowerCase())
    return "The Host header has to be an address, localhost or this node's name";
  const site = headers['sec-fetch-site'];
  const navigates = headers['sec-fetch-mode'] === 'navigate';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !navigates)
    return 'Pages of others may not ask';
  return undefined;
}

function hostOf(text: string): string {
  return text.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
}

function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
