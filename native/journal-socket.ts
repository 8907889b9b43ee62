import { OwnedFd, sealedFile } from './fd.ts';
import { DatagramSender } from './unix-datagram.ts';

/** The socket of a journal: small entries as datagrams, large ones as sealed files in memory. */
export class JournalDatagrams {
  readonly #socket: DatagramSender;

  constructor(path: string) {
    this.#socket = new DatagramSender(path);
  }

  /** As `DatagramSender.send`. */
  send(entry: Uint8Array): boolean {
    return this.#socket.send(entry);
  }

  /** An empty datagram with the descriptor of the entry. Throws EMFILE, ENOMEM, and what `send` throws. */
  sendLarge(entry: Uint8Array): boolean {
    using file = new OwnedFd(sealedFile('berth-journal', entry));
    return this.#socket.send(new Uint8Array(), file.fd);
  }
}
