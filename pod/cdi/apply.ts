import { Fault } from '../../ground/fault.ts';
import type { OciDevice, OciDeviceRule, OciHook, OciHooks, OciMount, OciSpec } from '../spec/oci-spec.ts';
import type { FoundEdits } from './device-nodes.ts';
import type { CdiEdits } from './spec.ts';

/**
 * A specification with the edits of CDI devices in it; nothing else is touched. Variables, device nodes and mounts
 * replace what has their name, path or target; hooks and groups are added; mounts go from shallow to deep paths.
 *
 * Throws `unimplemented` for what the OCI runtimes of today do not know (network devices, the newer fields of Intel
 * RDT).
 */
export function applyCdiEdits(spec: OciSpec, edits: readonly FoundEdits[]): OciSpec {
  return edits.reduce(applyOne, spec);
}

function applyOne(spec: OciSpec, edits: FoundEdits): OciSpec {
  const { process, linux } = spec;
  if ((edits.netDevices ?? []).length > 0)
    throw new Fault(
      'unimplemented',
      'Network devices of CDI files are not served: OCI runtimes do not know them yet',
    );
  const intelRdt = edits.intelRdt === undefined ? linux.intelRdt : rdtOf(edits.intelRdt);
  const hooks = hooksOf(spec.hooks, edits.hooks ?? []);
  const gids = [...new Set([...(process.user.additionalGids ?? []), ...(edits.additionalGids ?? [])])];
  const devices = edits.deviceNodes.map((node) => deviceOf(node, process.user));
  const rules = edits.deviceNodes.flatMap(ruleOf);
  const made = new Set(devices.map(({ path }) => path));
  return {
    ...spec,
    process: {
      ...process,
      user: gids.length > 0 ? { ...process.user, additionalGids: gids.sort((a, b) => a - b) } : process.user,
      env: environmentOf(process.env, edits.env ?? []),
    },
    mounts: mountsOf(spec.mounts, edits.mounts ?? []),
    ...(hooks === undefined ? {} : { hooks }),
    linux: {
      ...linux,
      devices: [...linux.devices.filter(({ path }) => !made.has(path)), ...devices],
      resources: { ...linux.resources, devices: [...linux.resources.devices, ...rules] },
      ...(intelRdt === undefined ? {} : { intelRdt }),
    },
  };
}

function environmentOf(before: string[], added: string[]): string[] {
  const entries = new Map(before.map((entry) => [entry.split('=', 1)[0]!, entry]));
  for (const entry of added) entries.set(entry.split('=', 1)[0]!, entry);
  return [...entries.values()];
}

/** Without an owner a node belongs to the container's user, who could not open it otherwise. */
function deviceOf(node: FoundEdits['deviceNodes'][number], user: { uid: number; gid: number }): OciDevice {
  const { path, type, major, minor, fileMode } = node;
  return {
    path,
    type,
    ...(type === 'p' ? {} : { major: major ?? 0, minor: minor ?? 0 }),
    fileMode,
    uid: node.uid ?? user.uid,
    gid: node.gid ?? user.gid,
  };
}

function ruleOf({ type, major, minor, permissions }: FoundEdits['deviceNodes'][number]): OciDeviceRule[] {
  if (type === 'p') return [];
  return [{ allow: true, type, major: major ?? 0, minor: minor ?? 0, access: permissions || 'rwm' }];
}

function mountsOf(before: OciMount[], added: NonNullable<CdiEdits['mounts']>): OciMount[] {
  if (added.length === 0) return before;
  const mounts = added.map(({ hostPath, containerPath, options = [], type = '' }): OciMount => {
    const bound = options.some((option) => option === 'bind' || option === 'rbind');
    const isBind = bound || type === '' || type === 'bind';
    return {
      destination: containerPath,
      type: isBind ? 'bind' : type,
      source: hostPath,
      options: bound || !isBind ? options : ['rbind', ...options],
    };
  });
  const replaced = new Set(mounts.map(({ destination }) => destination));
  const depth = ({ destination }: OciMount): number => destination.split('/').length;
  return [
    ...before.filter(({ destination }) => !replaced.has(destination)),
    ...mounts.sort((a, b) => depth(a) - depth(b)),
  ];
}

function hooksOf(before: OciHooks | undefined, added: NonNullable<CdiEdits['hooks']>): OciHooks | undefined {
  if (added.length === 0) return before;
  const hooks: OciHooks = { ...before };
  for (const { hookName, path, args, env, timeout } of added) {
    const hook: OciHook = {
      path,
      ...(args === undefined ? {} : { args }),
      ...(env === undefined ? {} : { env }),
      ...(timeout === undefined ? {} : { timeout }),
    };
    hooks[hookName] = [...(hooks[hookName] ?? []), hook];
  }
  return hooks;
}

function rdtOf(rdt: NonNullable<CdiEdits['intelRdt']>): NonNullable<OciSpec['linux']['intelRdt']> {
  const { schemata, enableMonitoring, ...known } = rdt;
  if (schemata !== undefined || enableMonitoring !== undefined)
    throw new Fault('unimplemented', 'intelRdt.schemata and enableMonitoring of CDI files are not served', {
      hint: 'closID, l3CacheSchema and memBwSchema are',
    });
  return known;
}
