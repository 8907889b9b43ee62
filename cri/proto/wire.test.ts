import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { generated, loadProtos } from './generate.ts';

/** The whole API as lines of the form that wire.txt has, from the loaded proto. */
function tableOf(root: protobuf.Root): string[] {
  const v1 = root.lookup('runtime.v1') as protobuf.Namespace;
  const lines: string[] = [];
  const add = (one: protobuf.ReflectionObject, prefix = ''): void => {
    if (one instanceof protobuf.Service)
      for (const rpc of one.methodsArray) {
        assert.equal(rpc.requestStream ?? false, false);
        const stream = rpc.responseStream ? 'stream ' : '';
        lines.push(
          `rpc ${one.name} ${rpc.name} (${rpc.requestType}) -> (${stream}${rpc.responseType})`,
        );
      }
    if (one instanceof protobuf.Enum) {
      for (const [name, value] of Object.entries(one.values))
        lines.push(`enum ${prefix}${one.name}: ${value} ${name}`);
    }
    if (one instanceof protobuf.Type) {
      lines.push(`message ${prefix}${one.name}`);
      for (const field of one.fieldsArray) lines.push(`message ${prefix}${one.name}: ${fieldLine(field)}`);
      for (const nested of one.nestedArray) add(nested, `${one.name}.`);
    }
  };
  for (const one of v1.nestedArray) add(one);
  return lines.sort();
}

const sourceName = (field: protobuf.Field): string =>
  // protobufjs turns names to camel case when it parses; the table has them as the proto spells them.
  spelled.get(field.name) ?? field.name;

const spelled = new Map<string, string>();
for (const [name] of readFileSync(join(import.meta.dirname, 'wire.txt'), 'utf8').matchAll(/\b\w+_\w+\b/g))
  spelled.set(protobuf.util.camelCase(name), name);

function fieldLine(field: protobuf.Field): string {
  const type = field instanceof protobuf.MapField ? `map<${field.keyType}, ${field.type}>` : field.type;
  const repeated = field.repeated && !field.map ? ' repeated' : '';
  const oneof = field.partOf === null ? '' : ` oneof ${field.partOf.name}`;
  const option = (name: string): string => (field.options?.[name] ? ` [${name} = true]` : '');
  return `${field.id} ${sourceName(field)} ${type}${repeated}${oneof}${option('deprecated')}${option('debug_redact')}`;
}

/** The same lines from wire.txt. */
function expectedTable(): string[] {
  const lines: string[] = [];
  let head = '';
  for (const line of readFileSync(join(import.meta.dirname, 'wire.txt'), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('rpc ')) lines.push(line);
    else if (/^(message|enum) /.test(line)) {
      head = line;
      if (line.startsWith('message')) lines.push(line);
    } else lines.push(`${head}: ${line.trim()}`);
  }
  return lines.sort();
}

describe('the CRI proto', () => {
  const root = loadProtos();

  it('says what the table of the wire says, field by field', () => {
    assert.deepEqual(tableOf(root), expectedTable());
  });

  it('has all RPCs and messages', () => {
    const table = tableOf(root);
    assert.equal(table.filter((line) => line.startsWith('rpc ')).length, 41);
    assert.equal(table.filter((line) => /^message [\w.]+$/.test(line)).length, 170);
  });

  it('spells every field as the table does', () => {
    const source = readFileSync(join(import.meta.dirname, 'runtime/v1/api.proto'), 'utf8');
    const names = (text: string, at: RegExp): string[] =>
      [...new Set([...text.matchAll(at)].map((match) => match[1]!))].sort();
    assert.deepEqual(
      names(source, / (\w+) = \d+(?: \[.*\])?;/g),
      names(readFileSync(join(import.meta.dirname, 'wire.txt'), 'utf8'), /^ {2}\d+ (\w+)/gm),
    );
  });

  it('is what the committed codec was written from', () => {
    for (const [name, text] of Object.entries(generated()))
      assert.equal(readFileSync(join(import.meta.dirname, name), 'utf8'), text, name);
  });
});
