import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';

/*
 * criu writes the host name of a UTS namespace into an image of its own, and puts it into the namespace that a restored
 * process joins: the pod would have the name of the one before. So the image is told the name of the pod.
 *
 * Two magic numbers of four bytes, the length of a message in four bytes, the message (criu's images/utsns.proto:
 * `nodename` is field 1, `domainname` field 2).
 */

const UTS_IMAGE = /^utsns-\d+\.img$/;
/** Two names of 64 bytes are all there is in it. */
const MAX_IMAGE = 4096;
const HEAD = 12;
const LENGTH_AT = 8;
/** Field 1, length-delimited. */
const NODENAME = 0x0a;
/** Longer ones would need a second byte for their length. */
const MAX_NAME = 127;

/** Gives the UTS namespaces among criu's images this host name (HOST_NAME_MAX: 64). Throws `invalid` for what is no such image. */
export function setHostName(images: string, hostname: string): void {
  for (const name of readdirSync(images).filter((file) => UTS_IMAGE.test(file))) {
    const file = join(images, name);
    if (statSync(file).size > MAX_IMAGE) throw new Fault('invalid', `Its ${name} is no image of a host name`);
    writeFileSync(file, withHostName(readFileSync(file), hostname), { mode: 0o600 });
  }
}

/** The image of a UTS namespace with another host name. */
export function withHostName(image: Buffer, hostname: string): Buffer {
  const name = Buffer.from(hostname);
  const message = image.subarray(HEAD);
  const rest = message.subarray(2 + (message[1] ?? 0));
  const sound =
    image.length > HEAD &&
    image.readUInt32LE(LENGTH_AT) === message.length &&
    message[0] === NODENAME &&
    message[1]! <= MAX_NAME &&
    2 + message[1]! <= message.length &&
    name.length <= MAX_NAME;
  if (!sound) throw new Fault('invalid', 'The host name in it is not where criu writes it');
  const changed = Buffer.concat([Buffer.from([NODENAME, name.length]), name, rest]);
  const head = Buffer.from(image.subarray(0, HEAD));
  head.writeUInt32LE(changed.length, LENGTH_AT);
  return Buffer.concat([head, changed]);
}
