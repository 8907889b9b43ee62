import * as v from 'valibot';
import { Fault, messageOf } from '../../ground/fault.ts';
import { CLASS, DEVICE_NAME, VENDOR } from './names.ts';

const TEXT = v.pipe(v.string(), v.nonEmpty());
const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const ENVIRONMENT = v.array(v.pipe(v.string(), v.regex(/^[^=\0]+=[^\0]*$/, 'it has to read NAME=VALUE')));
const ANNOTATIONS = v.record(v.string(), v.string());

const DEVICE_NODE = v.strictObject({
  path: TEXT,
  hostPath: v.optional(v.string()),
  type: v.optional(v.picklist(['', 'b', 'c', 'u', 'p'])),
  major: v.optional(COUNT),
  minor: v.optional(COUNT),
  fileMode: v.optional(COUNT),
  permissions: v.optional(v.pipe(v.string(), v.regex(/^[rwm]*$/, 'it has to consist of r, w and m'))),
  uid: v.optional(COUNT),
  gid: v.optional(COUNT),
});

const MOUNT = v.strictObject({
  hostPath: TEXT,
  containerPath: TEXT,
  options: v.optional(v.array(v.string())),
  type: v.optional(v.string()),
});

export const HOOK_NAMES = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

const HOOK = v.strictObject({
  hookName: v.picklist(HOOK_NAMES),
  path: v.pipe(v.string(), v.startsWith('/', 'it has to be an absolute path')),
  args: v.optional(v.array(v.string())),
  env: v.optional(ENVIRONMENT),
  timeout: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});

const INTEL_RDT = v.strictObject({
  closID: v.optional(v.pipe(v.string(), v.regex(/^[^/\n]{0,4095}$/, 'it is no name of a class'))),
  l3CacheSchema: v.optional(v.string()),
  memBwSchema: v.optional(v.string()),
  schemata: v.optional(v.array(v.string())),
  enableMonitoring: v.optional(v.boolean()),
  enableCMT: v.optional(v.boolean()),
  enableMBM: v.optional(v.boolean()),
});

const EDITS = v.strictObject({
  env: v.optional(ENVIRONMENT),
  deviceNodes: v.optional(v.array(DEVICE_NODE)),
  netDevices: v.optional(v.array(v.strictObject({ hostInterfaceName: TEXT, name: TEXT }))),
  hooks: v.optional(v.array(HOOK)),
  mounts: v.optional(v.array(MOUNT)),
  intelRdt: v.optional(INTEL_RDT),
  additionalGids: v.optional(v.array(COUNT)),
});

const DEVICE = v.strictObject({
  name: v.pipe(v.string(), v.regex(DEVICE_NAME, 'it is no name of a device')),
  annotations: v.optional(ANNOTATIONS),
  containerEdits: EDITS,
});

const SPEC = v.strictObject({
  cdiVersion: v.string(),
  kind: v.string(),
  annotations: v.optional(ANNOTATIONS),
  devices: v.pipe(v.array(DEVICE), v.nonEmpty('it names no devices')),
  containerEdits: v.optional(EDITS),
});

/** Changes to a container's specification (CDI specification 1.1.0, "Container Edits"). */
export type CdiEdits = v.InferOutput<typeof EDITS>;
export type CdiDeviceNode = v.InferOutput<typeof DEVICE_NODE>;
/** One file of a CDI directory. */
export type CdiSpec = v.InferOutput<typeof SPEC>;

/** Released versions, the earliest that is read first (CDI specification, "Released versions"). */
const VERSIONS = ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0', '1.1.1'];

/**
 * A file of the Container Device Interface, checked as the specification asks: unknown fields and fields that are newer
 * than the version which the file claims are errors. `text` is JSON, or YAML where the name ends in `.yaml`.
 * Throws `invalid` that names the file and the field.
 */
export async function parseCdiSpec(name: string, text: string): Promise<CdiSpec> {
  const subject = `CDI file ${name}`;
  const refuse = (why: string, cause?: unknown): never => {
    throw new Fault('invalid', why, { subject, cause });
  };
  let found: unknown;
  try {
    found = name.endsWith('.json') ? JSON.parse(text) : await readYaml(text);
  } catch (cause) {
    return refuse(`It cannot be read: ${messageOf(cause).split('\n', 1)[0]}`, cause);
  }
  const parsed = v.safeParse(SPEC, found);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    return refuse(`${v.getDotPath(issue) ?? 'it'}: ${issue.message}`);
  }
  const spec = parsed.output;
  if (!VERSIONS.includes(spec.cdiVersion)) refuse(`cdiVersion: ${spec.cdiVersion} is not known`);
  const [vendor = '', klass = '', ...more] = spec.kind.split('/');
  if (!VENDOR.test(vendor) || !CLASS.test(klass) || more.length > 0)
    refuse(`kind: ${JSON.stringify(spec.kind)} does not read vendor/class`);
  const least = leastVersion(spec);
  if (VERSIONS.indexOf(least) > VERSIONS.indexOf(spec.cdiVersion))
    refuse(`cdiVersion: it is ${spec.cdiVersion}, and what the file says needs ${least}`);
  const empty = spec.devices.find(({ containerEdits }) => isEmpty(containerEdits));
  if (empty !== undefined) refuse(`The device ${empty.name} changes nothing`);
  const names = spec.devices.map((device) => device.name);
  const twice = names.find((device, index) => names.indexOf(device) !== index);
  if (twice !== undefined) refuse(`The device ${twice} is there twice`);
  return spec;
}

/** Only nodes with CDI files in YAML load the reader. */
async function readYaml(text: string): Promise<unknown> {
  const { CORE_SCHEMA, load } = await import('js-yaml');
  return load(text, { schema: CORE_SCHEMA });
}

/** The version in which the newest field that the file uses came (CDI specification, "Released versions"). */
function leastVersion(spec: CdiSpec): string {
  const edits = [spec.containerEdits ?? {}, ...spec.devices.map((device) => device.containerEdits)];
  const some = (uses: (one: CdiEdits) => unknown): boolean => edits.some((one) => Boolean(uses(one)));
  if (some((one) => one.netDevices ?? one.intelRdt?.schemata ?? one.intelRdt?.enableMonitoring))
    return '1.1.0';
  if (some((one) => one.intelRdt ?? one.additionalGids?.length)) return '0.7.0';
  const annotated = [spec, ...spec.devices].some(
    ({ annotations }) => Object.keys(annotations ?? {}).length > 0,
  );
  if (annotated || spec.kind.split('/')[1]!.includes('.')) return '0.6.0';
  const digits = spec.devices.some(({ name }) => /^\d/.test(name));
  if (digits || some((one) => one.deviceNodes?.some(({ hostPath }) => hostPath))) return '0.5.0';
  return some((one) => one.mounts?.some(({ type }) => type)) ? '0.4.0' : '0.3.0';
}

function isEmpty(edits: CdiEdits): boolean {
  return Object.values(edits).every((one) => Array.isArray(one) && one.length === 0);
}
