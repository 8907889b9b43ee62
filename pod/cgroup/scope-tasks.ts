import type { OciSpec } from '../spec/oci-spec.ts';

/*
 * systemd gives each new scope its DefaultTasksMax: 15 % of the processes that the node may have (systemd-system.conf(5)).
 * A container has no such limit unless somebody asks for one.
 */

/** What the OCI runtimes hand on to systemd (runc's docs/systemd.md, crun(1)). */
const TASKS_MAX = 'org.systemd.property.TasksMax';
/** `infinity`, as a GVariant. */
const INFINITY = 'uint64 18446744073709551615';

/**
 * A specification whose scope has no limit of tasks by default. `below`: the runtime keeps what the container is given
 * in a cgroup below the scope (crun on v2); else a limit that was asked for is the scope's own, and stays.
 */
export function withoutScopeTasksMax(spec: OciSpec, below: boolean): OciSpec {
  if (!below && spec.linux.resources.unified?.['pids.max'] !== undefined) return spec;
  return { ...spec, annotations: { ...spec.annotations, [TASKS_MAX]: INFINITY } };
}
