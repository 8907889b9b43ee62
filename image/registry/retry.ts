import { Fault } from '../../ground/fault.ts';
import type { TransferError, TransferLimits } from './transport.ts';

/** What a registry that cannot be used is called; the kubelet looks for its first word (cri-api, pkg/errors). */
export function unavailable(registry: string, cause: TransferError): Fault {
  return new Fault('unavailable', `RegistryUnavailable: the registry ${registry} cannot be used`, { cause });
}

/** Milliseconds to wait after try number `tried`: doubling, with a part of chance. */
export function backoff(tried: number, limits: TransferLimits): number {
  const full = Math.min(limits.backoff * 2 ** (tried - 1), limits.maxBackoff);
  return full * (0.75 + Math.random() / 2);
}

/** Milliseconds of a Retry-After header (seconds or a date, RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
