import { createRequire } from 'node:module';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/*
 * Manifests against the types of the Kubernetes API, as the client library has them generated from the API's own
 * OpenAPI document: kinds, fields, the kinds of values. What the library does not know (custom resources) has a short
 * table here.
 */

interface Attribute {
  name: string;
  baseName: string;
  type: string;
}
interface Model {
  getAttributeTypeMap(): Attribute[];
}

/** A manifest as it was parsed. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  [other: string]: unknown;
}

/** Fields of the operator's objects that the chart uses (monitoring.coreos.com/v1). */
const CUSTOM: Record<string, string[]> = {
  PodMonitor: ['selector.matchLabels', 'podMetricsEndpoints[]'],
  ServiceMonitor: ['selector.matchLabels', 'endpoints[]'],
};
const ENDPOINT = ['port', 'interval', 'relabelings'];

const models = new Map<string, Model>();

/** Loads the library's models; they are thousands, and taken one by one from their files. */
async function model(type: string): Promise<Model | undefined> {
  const known = models.get(type);
  if (known !== undefined) return known;
  const main = createRequire(import.meta.url).resolve('@kubernetes/client-node');
  const directory = join(dirname(main), 'gen/models');
  if (!readdirSync(directory).includes(`${type}.js`)) return undefined;
  const found = (await import(pathToFileURL(join(directory, `${type}.js`)).href)) as Record<string, Model>;
  models.set(type, found[type]!);
  return found[type];
}

/** Every mistake of a manifest, as a path and what is wrong there; none when it is sound. */
export async function mistakesOf(manifest: Manifest): Promise<string[]> {
  const at = `${manifest.kind} ${manifest.metadata?.name}`;
  if (manifest.kind in CUSTOM) return customMistakes(manifest, at);
  const version = manifest.apiVersion.split('/').at(-1)!;
  const type = `${version[0]!.toUpperCase()}${version.slice(1)}${manifest.kind}`;
  if ((await model(type)) === undefined)
    return [`${at}: there is no ${manifest.apiVersion} ${manifest.kind}`];
  return check(manifest, type, at);
}

async function check(value: unknown, type: string, at: string): Promise<string[]> {
  const list = /^Array<(.*)>$/.exec(type);
  if (list !== null) {
    if (!Array.isArray(value)) return [`${at}: is no list`];
    return (await Promise.all(value.map((one, index) => check(one, list[1]!, `${at}[${index}]`)))).flat();
  }
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map !== null) {
    if (!isObject(value)) return [`${at}: is no object`];
    const below = Object.entries(value).map(([key, one]) => check(one, map[1]!, `${at}.${key}`));
    return (await Promise.all(below)).flat();
  }
  if (type === 'IntOrString')
    return typeof value === 'string' || Number.isInteger(value) ? [] : [`${at}: is neither number nor text`];
  if (type === 'any' || type === 'object') return [];
  if (['string', 'number', 'boolean'].includes(type))
    return typeof value === type ? [] : [`${at}: is ${JSON.stringify(value)}, not a ${type}`];
  const known = await model(type);
  if (known === undefined) return [`${at}: the type ${type} is not known`];
  if (!isObject(value)) return [`${at}: is no object`];
  const fields = new Map(known.getAttributeTypeMap().map((one) => [one.baseName, one.type]));
  const below = Object.entries(value).map(async ([key, one]) => {
    const expected = fields.get(key);
    return expected === undefined
      ? [`${at}.${key}: there is no such field`]
      : check(one, expected, `${at}.${key}`);
  });
  return (await Promise.all(below)).flat();
}

function customMistakes({ apiVersion, kind, spec }: Manifest, at: string): string[] {
  const mistakes = apiVersion === 'monitoring.coreos.com/v1' ? [] : [`${at}: ${apiVersion}`];
  const allowed = CUSTOM[kind]!.map((path) => path.split(/[.[]/)[0]);
  for (const [key, value] of Object.entries(spec as Record<string, unknown>)) {
    if (!allowed.includes(key)) mistakes.push(`${at}.spec.${key}: there is no such field`);
    if (!Array.isArray(value)) continue;
    for (const one of value as Record<string, unknown>[])
      for (const name of Object.keys(one))
        if (!ENDPOINT.includes(name)) mistakes.push(`${at}.spec.${key}.${name}: there is no such field`);
  }
  return mistakes;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
