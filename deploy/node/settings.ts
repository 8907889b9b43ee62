import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { Fault, messageOf } from '../../ground/fault.ts';

/** What the chart says about a node; each part of it has a default. */
const SETTINGS = v.strictObject({
  /** Keys of the daemon's configuration, as in berth.toml. */
  config: v.optional(v.record(v.string(), v.unknown()), {}),
  cni: v.optional(
    v.strictObject({
      install: v.optional(v.boolean(), true),
      directory: v.optional(
        v.pipe(v.string(), v.regex(/^\/[^\0]+$/, 'has to be an absolute path')),
        '/opt/cni/bin',
      ),
      replace: v.optional(v.boolean(), false),
    }),
    {},
  ),
  /** Whether /etc/crictl.yaml leads to Berth. */
  crictl: v.optional(v.boolean(), false),
  wait: v.optional(
    v.strictObject({
      /** A release that does not serve within this time is rolled back. */
      seconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3600)), 120),
      /** Whether the network has to be ready, too; auto: where it was before, or where one is configured. */
      network: v.optional(v.picklist(['auto', 'always', 'never']), 'auto'),
      /** How long a release that did not serve is not tried again. */
      holdSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)), 600),
    }),
    {},
  ),
  kubelet: v.optional(
    v.strictObject({
      /** Whether the kubelet of this node is pointed at Berth, once the node is drained. */
      switch: v.optional(v.boolean(), false),
      unit: v.optional(
        v.pipe(v.string(), v.regex(/^[\w@.-]+\.service$/, 'has to name a service')),
        'kubelet.service',
      ),
      /** How long the kubelet may take to be healthy after the change. */
      seconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3600)), 120),
    }),
    {},
  ),
});

export type NodeSettings = v.InferOutput<typeof SETTINGS>;

/** Settings from what was parsed. Throws Fault `invalid` that names every mistake. */
export function settingsFrom(value: unknown, name = 'The settings'): NodeSettings {
  const parsed = v.safeParse(SETTINGS, value);
  if (parsed.success) return parsed.output;
  const mistakes = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'all of it'}: ${issue.message}`);
  throw new Fault('invalid', `${name} have mistakes:\n  ${mistakes.join('\n  ')}`);
}

/** Reads the settings from a JSON file; all defaults without one. */
export function readSettings(file: string | undefined): NodeSettings {
  if (file === undefined) return settingsFrom({});
  try {
    return settingsFrom(JSON.parse(readFileSync(file, 'utf8')), `The settings in ${file}`);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('invalid', `The settings ${file} cannot be read: ${messageOf(error)}`);
  }
}
