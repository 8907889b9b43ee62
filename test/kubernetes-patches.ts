import { isDeepStrictEqual } from 'node:util';

/*
 * The patches of the Kubernetes API, for objects with labels, annotations and lists of conditions and addresses:
 * JSON merge patch (RFC 7386), strategic merge patch (lists merge by `type`), and server-side apply with its record of
 * who owns which field (Kubernetes documentation, "Server-Side Apply").
 */

export type Json = Record<string, unknown>;

/** Who has written which leaves, as `metadata/labels/x` or `status/conditions/[Ready]/status`. */
export interface Ownership {
  manager: string;
  operation: 'Apply' | 'Update';
  subresource: string;
  fields: Set<string>;
}

/** Lists whose members are known by their type. */
const KEYED = new Set(['conditions', 'addresses']);

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Json = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** Strategic merge patch, with `$patch: delete` in members of lists. */
export function strategicPatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Json = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (KEYED.has(key) && Array.isArray(value))
      merged[key] = mergeMembers((merged[key] ?? []) as Json[], value as Json[]);
    else merged[key] = strategicPatch(merged[key], value);
  }
  return merged;
}

function mergeMembers(members: Json[], patches: Json[]): Json[] {
  const merged = [...members];
  for (const patch of patches) {
    const at = merged.findIndex(({ type }) => type === patch['type']);
    if (patch['$patch'] === 'delete') {
      if (at >= 0) merged.splice(at, 1);
    } else if (at >= 0) merged[at] = strategicPatch(merged[at], patch) as Json;
    else merged.push(patch);
  }
  return merged;
}

/** Every leaf of an object with its value. Metadata that no manager owns is left out. */
export function leavesOf(object: unknown, path = ''): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  const visit = (value: unknown, at: string): void => {
    if (UNOWNED.has(at)) return;
    const list = at.slice(at.lastIndexOf('/') + 1);
    if (Array.isArray(value) && KEYED.has(list))
      for (const member of value as Json[]) visit(member, `${at}/[${String(member['type'])}]`);
    else if (isObject(value))
      for (const [key, inner] of Object.entries(value))
        visit(inner, at === '' ? escape(key) : `${at}/${escape(key)}`);
    else leaves.set(at, value);
  };
  visit(object, path);
  return leaves;
}

const UNOWNED = new Set([
  'kind',
  'apiVersion',
  'metadata/name',
  'metadata/uid',
  'metadata/resourceVersion',
  'metadata/managedFields',
  'metadata/creationTimestamp',
]);

const escape = (key: string): string => key.replaceAll('/', '~1');

/** An apply that others stand in the way of. */
export class ApplyConflict extends Error {
  readonly fields: string[];

  constructor(fields: [string, string][]) {
    super(
      `Apply failed with ${fields.length} conflict(s): ${fields.map(([field, by]) => `conflict with "${by}": ${field}`).join(', ')}`,
    );
    this.fields = fields.map(([field]) => field);
  }
}

/**
 * Server-side apply of `config` by `manager`. Answers the object and its owners as they are afterwards. Throws
 * ApplyConflict when others own what it changes, unless `force`.
 */
export function apply(
  live: Json,
  owners: readonly Ownership[],
  config: Json,
  by: { manager: string; subresource: string; force: boolean },
): { object: Json; owners: Ownership[] } {
  const wanted = leavesOf(config);
  const present = leavesOf(live);
  const isOwn = (one: Ownership): boolean =>
    one.operation === 'Apply' && one.manager === by.manager && one.subresource === by.subresource;
  const own = owners.find(isOwn);
  let others = owners.filter((one) => !isOwn(one));
  const changed = [...wanted].filter(([path, value]) => !isDeepStrictEqual(present.get(path), value));
  const conflicts = changed.flatMap(([path]) =>
    others.filter(({ fields }) => fields.has(path)).map(({ manager }): [string, string] => [path, manager]),
  );
  if (conflicts.length > 0 && !by.force) throw new ApplyConflict(conflicts);
  const taken = new Set(conflicts.map(([path]) => path));
  others = others.map((one) => ({
    ...one,
    fields: new Set([...one.fields].filter((path) => !taken.has(path))),
  }));
  let object = strategicPatch(live, withoutUnowned(config)) as Json;
  const dropped = [...(own?.fields ?? [])].filter(
    (path) => !wanted.has(path) && !others.some(({ fields }) => fields.has(path)),
  );
  // A member goes with its last field; by its key it is found until then.
  const isKey = (path: string): boolean => path.endsWith(']/type');
  for (const path of dropped.filter((one) => !isKey(one))) object = without(object, path);
  for (const path of dropped.filter(isKey)) {
    const member = path.slice(0, -'type'.length);
    if ([...leavesOf(object).keys()].every((leaf) => leaf === path || !leaf.startsWith(member)))
      object = without(object, path);
  }
  const mine: Ownership = { ...by, operation: 'Apply', fields: new Set(wanted.keys()) };
  return { object: withoutEmpty(object), owners: [...others, mine].filter(({ fields }) => fields.size > 0) };
}

/** What an update by another way makes of the owners: who changes a field has it, and what is gone is nobody's. */
export function afterUpdate(
  before: Json,
  after: Json,
  owners: readonly Ownership[],
  by: { manager: string; subresource: string },
): Ownership[] {
  const was = leavesOf(before);
  const is = leavesOf(after);
  const changed = [...is].filter(([path, value]) => !isDeepStrictEqual(was.get(path), value));
  const paths = new Set(changed.map(([path]) => path));
  const isOwn = (one: Ownership): boolean =>
    one.operation === 'Update' && one.manager === by.manager && one.subresource === by.subresource;
  const mine = new Set([...(owners.find(isOwn)?.fields ?? []), ...paths]);
  return [
    ...owners
      .filter((one) => !isOwn(one))
      .map((one) => ({
        ...one,
        fields: new Set([...one.fields].filter((path) => !paths.has(path))),
      })),
    { ...by, operation: 'Update' as const, fields: mine },
  ]
    .map((one) => ({ ...one, fields: new Set([...one.fields].filter((path) => is.has(path))) }))
    .filter(({ fields }) => fields.size > 0);
}

function withoutUnowned(config: Json): Json {
  const { metadata, ...rest } = config;
  const { uid: _uid, resourceVersion: _version, managedFields: _fields, ...kept } = (metadata ?? {}) as Json;
  return { ...rest, metadata: kept };
}

function without(object: Json, path: string): Json {
  const copy = structuredClone(object);
  const parts = path.split('/').map((part) => part.replaceAll('~1', '/'));
  const last = parts.pop()!;
  let at: unknown = copy;
  for (const part of parts) {
    const type = /^\[(.*)\]$/.exec(part)?.[1];
    at =
      type === undefined
        ? (at as Json | undefined)?.[part]
        : (at as Json[] | undefined)?.find((member) => member['type'] === type);
  }
  if (isObject(at)) delete at[last];
  return copy;
}

/** A member of a list of which nothing is left is gone. */
function withoutEmpty(object: Json): Json {
  const copy = structuredClone(object);
  const visit = (value: unknown): void => {
    if (!isObject(value)) return;
    for (const [key, inner] of Object.entries(value)) {
      if (KEYED.has(key) && Array.isArray(inner))
        value[key] = (inner as Json[]).filter((member) => Object.keys(member).length > 0);
      visit(inner);
    }
  };
  visit(copy);
  return copy;
}
