import { dirname } from 'node:path';
import type { Config } from '../../cri/config/schema.ts';
import { socketPath } from '../../cri/socket.ts';
import { Fault, messageOf } from '../../ground/fault.ts';
import { DROP_IN, configWith, renderDropIn } from './drop-in.ts';
import type { Node } from './node.ts';
import { pruneReleases, unitFor, wantedBy, type Release } from './release.ts';
import { waitUntilServing } from './serving.ts';
import type { NodeSettings } from './settings.ts';
import { CURRENT, RELEASES, type Generation } from './state.ts';

export const UNIT = 'berth.service';
const UNITS = '/etc/systemd/system';
const CRICTL = '/etc/crictl.yaml';
/** Compiled code of the programs. */
const COMPILED = '/var/cache/berth';
/** The program, whichever release is in use. */
export const PROGRAM = `${CURRENT}/bin/berth`;

/** The generation that a release and settings make on this node, and the configuration that would be in force. */
export function generationOf(
  node: Node,
  release: Release,
  name: string,
  settings: NodeSettings,
): { generation: Generation; config: Config } {
  const dropIn = renderDropIn(settings.config);
  const config = configWith(node.files, dropIn);
  const socket = socketPath(config.cri.listen);
  const { install, directory, replace } = settings.cni;
  const generation: Generation = {
    release: name,
    version: release.version,
    digest: release.digest,
    unit: unitFor(release, PROGRAM),
    dropIn,
    crictl: settings.crictl ? `runtime-endpoint: unix://${socket}\nimage-endpoint: unix://${socket}\n` : '',
    cni: install ? { directory, replace } : null,
    socket,
    data: [config.root, config.state, COMPILED],
  };
  return { generation, config };
}

/** Whether two generations put the same on the node. */
export function isSameGeneration(one: Generation | undefined, other: Generation | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Puts a generation on the node and restarts the daemon; pods go on. Each part looks at what is there, so that it can
 * be repeated after a kill at any point. Rejects with Fault when a part cannot be done.
 */
export async function apply(node: Node, generation: Generation, timeoutMs: number): Promise<void> {
  const { belongings, files, systemd } = node;
  // The data directories are the daemon's to make, and ours to take away.
  belongings.claim([...new Set([...generation.data, dirname(generation.socket)])], 'tree');
  belongings.file(DROP_IN, generation.dropIn);
  belongings.link(CURRENT, `releases/${generation.release}`);
  belongings.file(`${UNITS}/${UNIT}`, generation.unit);
  for (const target of wantedBy(generation.unit))
    belongings.link(`${UNITS}/${target}.wants/${UNIT}`, `${UNITS}/${UNIT}`);
  if (generation.crictl === '') belongings.giveBack(CRICTL);
  else belongings.file(CRICTL, generation.crictl);
  await applyCni(node, generation);
  await systemd.reload();
  node.say(
    `restarting ${UNIT} with ${generation.release} (${files.at(`${RELEASES}/${generation.release}`)})`,
  );
  await systemd.restart(UNIT, timeoutMs);
}

/** Waits until the daemon of a generation serves. Rejects with Fault and what its unit said last. */
export async function verify(
  node: Node,
  generation: Generation,
  network: boolean,
  timeoutMs: number,
): Promise<void> {
  const alive = async (): Promise<void> => {
    const { active, result } = await node.systemd.state(UNIT);
    if (active === 'failed') throw new Fault('unavailable', `${UNIT} failed: ${result}`);
  };
  const { version } = generation;
  const socket = node.files.at(generation.socket, true);
  await waitUntilServing(socket, { version, network }, timeoutMs, alive);
}

/** What went wrong, with the end of the daemon's log. */
export async function reasonOf(node: Node, error: unknown): Promise<string> {
  const words = await node.systemd.lastWords(UNIT).catch((cause: unknown) => messageOf(cause));
  return words === '' ? messageOf(error) : `${messageOf(error)}\nThe log of ${UNIT} ends with:\n${words}`;
}

/** Removes releases that neither is in use nor would be rolled back to. */
export function prune(node: Node): void {
  const { current, previous } = node.state;
  pruneReleases(node.files, [current?.release, previous?.release]);
}

const QUICK_MS = 60_000;

/** The CNI executables of the release in use; those of others stay, unless they are to be replaced. */
async function applyCni(node: Node, { cni, release }: Generation): Promise<void> {
  const { belongings, files, programs } = node;
  const program = `${RELEASES}/${release}/bin/berth`;
  const types = cni === null ? [] : await typesOf(node, program);
  const wanted = new Set(types.map((type) => `${cni!.directory}/${type}`));
  // Of another directory, or of a release that had more.
  for (const { path, kind } of belongings.newestFirst())
    if (kind === 'file' && isCniProgram(files.read(path)) && !wanted.has(path)) belongings.giveBack(path);
  if (cni === null) return;
  if (!cni.replace) for (const path of wanted) if (belongings.hasReplaced(path)) belongings.giveBack(path);
  const mine = types.filter((type) => {
    const path = `${cni.directory}/${type}`;
    return cni.replace || belongings.has(path) || files.kind(path) === 'absent';
  });
  const kept = types.filter((type) => !mine.includes(type));
  if (kept.length > 0) node.say(`${cni.directory} has plugins of others, which stay: ${kept.join(', ')}`);
  belongings.directory(cni.directory);
  belongings.claim(
    mine.map((type) => `${cni.directory}/${type}`),
    'file',
  );
  if (mine.length === 0) return;
  const { code, stderr } = await programs.run(
    [program, 'cni', 'install', cni.directory, '--force', '--only', mine.join(',')],
    QUICK_MS,
  );
  if (code !== 0)
    throw new Fault('internal', 'The CNI executables cannot be written', { cause: stderr.trim() });
}

async function typesOf(node: Node, program: string): Promise<string[]> {
  const { code, stdout, stderr } = await node.programs.run([program, 'cni', 'list'], QUICK_MS);
  if (code !== 0)
    throw new Fault('precondition', 'The release does not run on this node', { cause: stderr.trim() });
  return stdout.split('\n').filter(Boolean);
}

function isCniProgram(text: string | undefined): boolean {
  return text !== undefined && text.slice(0, 200).includes('berth cni install');
}
