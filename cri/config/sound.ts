import { isIP } from 'node:net';
import { messageOf } from '../../ground/fault.ts';
import { pinnedBy } from '../../image/pinned.ts';
import { parseRlimits } from '../../pod/spec/rlimits.ts';
import { parsePodRanges } from '../../network/pod-range.ts';

/*
 * What is wrong with a value of the configuration; undefined when it is sound.
 */

/** An absolute path without `..`. */
export function absolutePath(value: string): string | undefined {
  if (!value.startsWith('/')) return 'it has to be an absolute path';
  return value.split('/').includes('..') ? 'it may not hold ..' : undefined;
}

/** The same, or nothing. */
export function absolutePathOrEmpty(value: string): string | undefined {
  return value === '' ? undefined : absolutePath(value);
}

/** Absolute paths. */
export function absolutePaths(value: string[]): string | undefined {
  return value.map(absolutePath).find((wrong) => wrong !== undefined);
}

/** A program: an absolute path, or a name that is looked up in PATH. */
export function program(value: string): string | undefined {
  if (value === '') return 'it has to name a program';
  return value.includes('/') ? absolutePath(value) : undefined;
}

/** `unix:///run/x.sock` */
export function unixSocket(value: string): string | undefined {
  return /^unix:(\/\/)?\//.test(value) ? undefined : 'it has to read like unix:///run/berth/berth.sock';
}

/** `127.0.0.1:9464` or `[::1]:9464`; port 0 takes a free one. */
export function tcpAddress(value: string): string | undefined {
  const { host = '', port = '' } =
    /^(?:\[(?<host>.*)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(value)?.groups ?? {};
  return isIP(host) !== 0 && Number(port) <= 65535 ? undefined : 'it has to read like 127.0.0.1:9464';
}

/** The same, or nothing. */
export function tcpAddressOrEmpty(value: string): string | undefined {
  return value === '' ? undefined : tcpAddress(value);
}

/** One range of pod addresses, one of each family, or nothing. */
export function podRanges(value: string): string | undefined {
  try {
    parsePodRanges(value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** A link's name: at most 15 bytes, no slash, no space (IFNAMSIZ, dev_valid_name in the kernel). */
export function linkName(value: string): string | undefined {
  return /^[^\s/:]{1,15}$/.test(value) && value !== '.' && value !== '..'
    ? undefined
    : 'it has to be a name of at most 15 characters without spaces and slashes';
}

/** Names of images as users write them, or beginnings of full names with `*`. */
export function imagePatterns(value: string[]): string | undefined {
  try {
    pinnedBy(value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** `nofile=1024:4096` */
export function ulimits(value: string[]): string | undefined {
  try {
    parseRlimits(value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
