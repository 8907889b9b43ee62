import assert from 'node:assert/strict';
import { Fault } from '../ground/fault.ts';
import type { NamespaceOptions } from './config.ts';
import { checkContainerNamespaces, checkSandboxNamespaces } from './namespace-rules.ts';
import { sampleInput } from './spec/sample-input.ts';

const OWN: NamespaceOptions = { network: 'pod', pid: 'container', ipc: 'pod', targetId: '' };
const RANGE = { containerId: 0, hostId: 100_000, length: 65_536 };
const USERNS = { mode: 'pod' as const, uids: [RANGE], gids: [RANGE] };

function sandbox(options: Partial<NamespaceOptions>): void {
  checkSandboxNamespaces(sampleInput({ sandboxSecurity: { namespaces: { ...OWN, ...options } } }).sandbox);
}

function container(pod: Partial<NamespaceOptions>, options: Partial<NamespaceOptions>): void {
  const input = sampleInput({
    sandboxSecurity: { namespaces: { ...OWN, ...pod } },
    security: { namespaces: { ...OWN, ...options } },
  });
  checkContainerNamespaces(input.sandbox, input.container);
}

function refused(work: () => void, text: RegExp): void {
  assert.throws(
    work,
    (error) => error instanceof Fault && error.kind === 'invalid' && text.test(error.message),
    text.source,
  );
}

describe('rules of namespaces', () => {
  it('lets a pod have what the CRI defines', () => {
    for (const pid of ['pod', 'container', 'node'] as const) sandbox({ pid });
    for (const mode of ['pod', 'node'] as const) sandbox({ network: mode, ipc: mode });
    sandbox({ userns: USERNS });
    sandbox({ userns: USERNS, network: 'node' });
    sandbox({ userns: { mode: 'node', uids: [], gids: [] }, network: 'node', pid: 'node', ipc: 'node' });
    sandbox({ userns: { ...USERNS, gids: [{ ...RANGE, hostId: 2 ** 32 - 1 - 65_536 }] } });
  });

  it('refuses what nobody defined', () => {
    refused(() => sandbox({ network: 'container' }), /network namespace mode container/);
    refused(() => sandbox({ ipc: 'target' }), /IPC namespace mode target/);
    refused(() => sandbox({ pid: 'target' }), /PID namespace mode target/);
    refused(() => sandbox({ userns: { ...USERNS, mode: 'container' } }), /user namespace mode container/);
    refused(() => container({}, { ipc: 'container' }), /IPC namespace mode container/);
    refused(() => container({}, { network: 'target' }), /network namespace mode target/);
  });

  it('refuses mappings that the peers refuse', () => {
    const mapped =
      (uids: (typeof RANGE)[], gids = [RANGE]): (() => void) =>
      () =>
        sandbox({ userns: { mode: 'pod', uids, gids } });
    refused(mapped([]), /maps no user ids/);
    refused(mapped([RANGE], []), /maps no group ids/);
    refused(mapped([RANGE, { ...RANGE, containerId: 65_536, hostId: 1 }]), /maps 2 ranges of user ids/);
    refused(mapped([RANGE], [RANGE, RANGE]), /maps 2 ranges of group ids/);
    refused(mapped([{ ...RANGE, containerId: 1 }]), /does not map the user id 0/);
    refused(mapped([{ ...RANGE, length: 65_534 }]), /nobody \(65534\)/);
    refused(mapped([{ ...RANGE, hostId: 2 ** 32 - 65_536 }]), /do not exist/);
    refused(() => sandbox({ userns: { ...USERNS, mode: 'node' } }), /node's user namespace and maps ids/);
  });

  it("refuses a user namespace together with the node's processes or IPC", () => {
    refused(() => sandbox({ userns: USERNS, pid: 'node' }), /node's PID namespace/);
    refused(() => sandbox({ userns: USERNS, ipc: 'node' }), /node's IPC namespace/);
  });

  it('lets a container have what its pod has', () => {
    container({ pid: 'pod' }, { pid: 'pod' });
    container({ pid: 'pod' }, { pid: 'container' });
    container({ pid: 'node' }, { pid: 'pod' });
    container({}, { pid: 'target', targetId: 'x' });
    // What a caller that says nothing about namespaces means.
    container({ network: 'node', ipc: 'node', pid: 'node' }, { pid: 'pod' });
    container({ network: 'node', ipc: 'node', pid: 'node' }, { network: 'node', ipc: 'node', pid: 'node' });
    container({ userns: USERNS }, { userns: structuredClone(USERNS) });
    container({}, { userns: { mode: 'node', uids: [], gids: [] } });
  });

  it('refuses a container what its pod has not', () => {
    refused(() => container({}, { network: 'node' }), /node's network namespace/);
    refused(() => container({}, { ipc: 'node' }), /node's IPC namespace/);
    refused(() => container({ pid: 'pod' }, { pid: 'node' }), /node's PID namespace/);
    refused(() => container({}, { pid: 'pod' }), /PID namespace of its pod/);
  });

  it('refuses a container another user namespace than its pod has', () => {
    refused(() => container({ userns: USERNS }, {}), /mode is node, and its pod's is pod/);
    refused(() => container({}, { userns: USERNS }), /mode is pod, and its pod's is node/);
    const other = { ...USERNS, gids: [{ ...RANGE, hostId: 300_000 }] };
    refused(() => container({ userns: USERNS }, { userns: other }), /not those of its pod/);
  });
});
