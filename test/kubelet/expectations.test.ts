import assert from 'node:assert/strict';
import { ContainerState, SandboxState, type ContainerStatus, type SandboxStatus } from '../pods.ts';
import { Book } from './book.ts';
import type { DesiredPod } from './desired.ts';
import { expectContainer, expectListing, expectSandbox, twinOf, type Listing } from './expectations.ts';
import { Ledger } from './ledger.ts';

const LOG = import.meta.filename; // a file that can be read
const UID = 'io.kubernetes.pod.uid';

const pod = { name: 'web', uid: 'u', kind: 'web', hostNetwork: false } as DesiredPod;
const sandboxStatus = (changes: object = {}): SandboxStatus =>
  ({
    id: 's',
    state: SandboxState.READY,
    createdAt: 5n,
    metadata: { name: 'web', uid: 'u', namespace: 'default', attempt: 1 },
    network: { ip: '10.0.0.2', additionalIps: [] },
    linux: { namespaces: { options: { network: 0 } } },
    ...changes,
  }) as unknown as SandboxStatus;
const status = (changes: object = {}): ContainerStatus =>
  ({
    id: 'c',
    metadata: { name: 'main', attempt: 2 },
    state: ContainerState.RUNNING,
    createdAt: 5n,
    startedAt: 6n,
    finishedAt: 0n,
    exitCode: 0,
    reason: '',
    image: { image: 'x' },
    imageRef: 'y',
    imageId: 'y',
    labels: { 'io.kubernetes.container.name': 'main' },
    mounts: [{}, {}, {}],
    logPath: LOG,
    ...changes,
  }) as unknown as ContainerStatus;

function ledger(): Ledger {
  const made = new Ledger();
  made.sandboxes.set('s', { id: 's', pod, attempt: 1 });
  made.containers.set('c', {
    id: 'c',
    sandboxId: 's',
    pod,
    attempt: 2,
    logPath: LOG,
    messagePath: LOG,
    started: true,
    container: { name: 'main', role: 'main', image: 'x', command: [], exits: [0], graceSeconds: 1 },
  });
  return made;
}

function complaints(look: (book: Book) => void): string[] {
  const book = new Book();
  look(book);
  return book.complaints.map(({ kind }) => kind);
}

describe("a kubelet's expectations", () => {
  it('find nothing in what is right', () => {
    assert.deepEqual(
      complaints((book) => expectSandbox(sandboxStatus(), pod, ledger(), book)),
      [],
    );
    assert.deepEqual(
      complaints((book) => expectContainer(status(), ledger(), book)),
      [],
    );
  });

  it('find each thing that is wrong with a sandbox', () => {
    const wrong: [object, RegExp][] = [
      [{ network: { ip: '', additionalIps: [] } }, /no address/],
      [{ createdAt: 0n }, /no time of creation/],
      [{ metadata: { name: 'web', uid: 'u', namespace: 'default', attempt: 0 } }, /another attempt/],
      [{ metadata: { name: 'web', uid: 'v', namespace: 'default', attempt: 1 } }, /another pod/],
      [{ linux: { namespaces: { options: { network: 2 } } } }, /another network namespace/],
    ];
    for (const [changes, kind] of wrong)
      assert.match(
        complaints((book) => expectSandbox(sandboxStatus(changes), pod, ledger(), book)).join(),
        kind,
      );
    const before = ledger();
    before.addresses.set('s', '10.0.0.9').set('t', '10.0.0.2');
    assert.match(
      complaints((book) => expectSandbox(sandboxStatus(), pod, before, book)).join(),
      /changes its address/,
    );
    assert.equal(twinOf('s', before), 't');
  });

  it('find each thing that is wrong with a container', () => {
    const ended = { state: ContainerState.EXITED, finishedAt: 9n, reason: 'Completed' };
    const wrong: [object, RegExp][] = [
      [{ metadata: { name: 'main', attempt: 1 } }, /other metadata/],
      [{ logPath: '/elsewhere' }, /another log/],
      [{ imageRef: '' }, /name its image/],
      [{ labels: {} }, /lost its labels/],
      [{ mounts: [] }, /other mounts/],
      [{ createdAt: 0n }, /no time of creation/],
      [{ startedAt: 0n }, /was not started/],
      [{ finishedAt: 9n }, /running container has an end/],
      [{ ...ended, finishedAt: 0n }, /no right end/],
      [{ ...ended, finishedAt: 5n }, /no right end/],
      [{ ...ended, reason: '' }, /no reason/],
      [{ ...ended, exitCode: 137, reason: 'Error' }, /another code than its own/],
    ];
    for (const [changes, kind] of wrong)
      assert.match(complaints((book) => expectContainer(status(changes), ledger(), book)).join(), kind);
    const gone = ledger();
    gone.containers.get('c')!.logPath = '/elsewhere';
    assert.match(
      complaints((book) => expectContainer(status({ logPath: '/elsewhere' }), gone, book)).join(),
      /cannot be read/,
    );
  });

  it('take another code of a container that was asked to end', () => {
    const asked = ledger();
    asked.endSandbox('s', 'its pod was stopped');
    const end = status({ state: ContainerState.EXITED, finishedAt: 9n, reason: 'Error', exitCode: 137 });
    assert.deepEqual(
      complaints((book) => expectContainer(end, asked, book)),
      [],
    );
  });

  it('find twins in a list, and what a kubelet could not sort', () => {
    const sandbox = {
      id: 's',
      createdAt: 1n,
      state: SandboxState.READY,
      labels: { [UID]: 'u' },
      metadata: { name: 'web', uid: 'u', namespace: 'default', attempt: 0 },
    };
    const container = {
      id: 'c',
      podSandboxId: 's',
      createdAt: 1n,
      state: ContainerState.RUNNING,
      labels: { [UID]: 'u' },
      metadata: { name: 'main', attempt: 0 },
      image: { image: 'x' },
      imageRef: 'y',
    };
    const next = { ...sandbox, id: 't', metadata: { ...sandbox.metadata, attempt: 1 } };
    const listing = (sandboxes: object[], containers: object[]): Listing =>
      ({ sandboxes, containers }) as Listing;
    const found = (...lists: [object[], object[]]): string =>
      complaints((book) => expectListing(listing(...lists), book)).join();
    assert.equal(found([sandbox], [container]), '');
    assert.match(found([sandbox, { ...sandbox, id: 't' }], []), /two have one name: sandbox/);
    assert.match(found([sandbox, next], []), /two have one name: ready sandbox/);
    assert.match(found([], [container, { ...container, id: 'd' }]), /two have one name: container/);
    assert.match(
      found([], [container, { ...container, id: 'd', metadata: { name: 'main', attempt: 1 } }]),
      /two have one name: running container/,
    );
    assert.match(found([{ ...sandbox, labels: {} }], []), /lacks what a kubelet needs/);
    assert.match(found([], [{ ...container, imageRef: '' }]), /lacks what a kubelet needs/);
    assert.match(found([], [{ ...container, state: ContainerState.UNKNOWN }]), /unknown state/);
  });
});
