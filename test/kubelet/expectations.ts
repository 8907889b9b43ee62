import { accessSync, constants, readFileSync } from 'node:fs';
import type { ResponseOf } from '../../cri/rpc.ts';
import { ContainerState, SandboxState, type ContainerStatus, type SandboxStatus } from '../pods.ts';
import type { Book } from './book.ts';
import type { DesiredPod } from './desired.ts';
import type { Ledger } from './ledger.ts';
import { UID_LABEL } from './pod-status.ts';

/*
 * What kuberuntime relies on when it reads the runtime's lists and statuses. Each break of it is a complaint.
 */

export type ListedSandbox = ResponseOf<'ListPodSandbox'>['items'][number];
export type ListedContainer = ResponseOf<'ListContainers'>['containers'][number];
export interface Listing {
  sandboxes: ListedSandbox[];
  containers: ListedContainer[];
}

/** No name twice, at most one ready sandbox a pod, and every field that a kubelet sorts and finds by. */
export function expectListing({ sandboxes, containers }: Listing, book: Book): void {
  const names = new Set<string>();
  const once = (what: string, name: string): void => {
    if (names.has(`${what} ${name}`)) book.complain(`two have one name: ${what}`, name);
    names.add(`${what} ${name}`);
  };
  for (const { id, metadata, createdAt, labels, state } of sandboxes) {
    if (id === '' || metadata === null || createdAt <= 0n || labels[UID_LABEL] !== metadata.uid) {
      book.complain('a listed sandbox lacks what a kubelet needs', id);
      continue;
    }
    once('sandbox', `${metadata.namespace}/${metadata.name}/${metadata.uid}/${metadata.attempt}`);
    if (state === SandboxState.READY) once('ready sandbox', metadata.uid);
  }
  for (const one of containers) {
    const { id, metadata, createdAt, labels, image, imageRef, podSandboxId, state } = one;
    const uid = labels[UID_LABEL];
    if (
      id === '' ||
      metadata === null ||
      createdAt <= 0n ||
      uid === undefined ||
      !image?.image ||
      imageRef === ''
    ) {
      book.complain('a listed container lacks what a kubelet needs', id);
      continue;
    }
    once('container', `${podSandboxId}/${metadata.name}/${metadata.attempt}`);
    if (state === ContainerState.RUNNING) once('running container', `${uid}/${metadata.name}`);
    if (state === ContainerState.UNKNOWN) book.complain('a container is of unknown state', id);
  }
}

/** A sandbox's status against its pod: namespaces, attempt, an address that stays while it is ready. */
export function expectSandbox(status: SandboxStatus, pod: DesiredPod, ledger: Ledger, book: Book): void {
  const { id, state, network, metadata, createdAt, linux } = status;
  const about = `${pod.name} ${id.slice(0, 13)}`;
  if (createdAt <= 0n) book.complain('a sandbox has no time of creation', about);
  if (metadata?.uid !== pod.uid || metadata.name !== pod.name)
    book.complain('a sandbox has the metadata of another pod', about);
  if (state === SandboxState.READY && !pod.hostNetwork && !network?.ip)
    book.complain('a ready sandbox has no address', about);
  const made = ledger.sandboxes.get(id);
  if (made === undefined) return; // its removal was asked for meanwhile, or nobody heard of its making
  if (metadata?.attempt !== made.attempt)
    book.complain('a sandbox has another attempt than was asked for', `${about}: ${metadata?.attempt}`);
  const before = ledger.addresses.get(id);
  const ip = state === SandboxState.READY ? (network?.ip ?? '') : '';
  if (before !== undefined && ip !== '' && before !== ip)
    book.complain('a sandbox changes its address', `${about}: ${before}, then ${ip}`);
  if (ip === '') ledger.addresses.delete(id);
  else ledger.addresses.set(id, ip);
  if (linux?.namespaces?.options?.network !== (pod.hostNetwork ? 2 : 0))
    book.complain('a sandbox says another network namespace than was asked for', about);
}

/** The other sandbox that was ready with the same address when it was last looked at: both have to be asked again. */
export function twinOf(id: string, { addresses }: Ledger): string | undefined {
  const ip = addresses.get(id);
  if (ip === undefined) return undefined;
  return [...addresses].find(([other, address]) => address === ip && other !== id)?.[0];
}

/** A container's status against what was asked for and what can have happened to it. */
export function expectContainer(status: ContainerStatus, ledger: Ledger, book: Book): void {
  const made = ledger.containers.get(status.id);
  if (made === undefined) return; // its removal was asked for meanwhile
  const { pod, container, attempt } = made;
  const about = `${pod.name}/${container.name} attempt ${attempt} ${status.id.slice(0, 13)}`;
  const wrong = (what: string, found: unknown): void => book.complain(what, `${about}: ${String(found)}`);
  const { createdAt, startedAt, finishedAt, state, exitCode, reason } = status;
  if (status.metadata?.name !== container.name || status.metadata.attempt !== attempt)
    wrong('a container has other metadata than was asked for', JSON.stringify(status.metadata));
  if (status.logPath !== made.logPath)
    wrong('a container has another log than was asked for', status.logPath);
  if (status.image?.image === '' || status.imageRef === '' || status.imageId === '')
    wrong('a container does not name its image', status.imageRef);
  if (status.labels['io.kubernetes.container.name'] !== container.name)
    wrong('a container has lost its labels', JSON.stringify(status.labels));
  if (status.mounts.length !== 3)
    wrong('a container has other mounts than were asked for', status.mounts.length);
  if (createdAt <= 0n) wrong('a container has no time of creation', createdAt);
  if (state === ContainerState.RUNNING) {
    if (startedAt < createdAt) wrong('a container runs that was not started', startedAt);
    if (finishedAt !== 0n) wrong('a running container has an end', finishedAt);
    if (made.rotating !== true && !isReadable(status.logPath))
      wrong('the log of a running container cannot be read', status.logPath);
  }
  if (state !== ContainerState.EXITED) return;
  if (finishedAt <= 0n || (made.started && finishedAt < startedAt))
    wrong('an exited container has no right end', `${startedAt} to ${finishedAt}`);
  if (reason === '') wrong('an exited container has no reason', exitCode);
  if (pod.kind === 'job' && container.role === 'main' && exitCode === 0 && made.endedBy === undefined)
    if (readFileSync(made.messagePath, 'utf8') !== 'done\n')
      wrong('the last words of a container are lost', made.messagePath);
  if (made.started && made.endedBy === undefined && !container.exits.includes(exitCode))
    wrong('a container ended with another code than its own', `${exitCode} ${reason} ${status.message}`);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false; // the answer itself
  }
}
