import protobuf from 'protobufjs';

/** How one scalar type goes over the wire: its writer call, its reader call, its empty value, its TypeScript type. */
interface Scalar {
  write(value: string): string;
  read: string;
  empty: string;
  type: string;
  wire: 0 | 1 | 2;
  present(value: string): string;
}

const truthy = (value: string): string => value;
const plain = (name: string, empty: string, type: string, wire: 0 | 1 | 2): Scalar => ({
  write: (value) => `${name}(${value})`,
  read: `r.${name}()`,
  empty,
  type,
  wire,
  present: truthy,
});

const SCALARS: Record<string, Scalar> = {
  string: { ...plain('string', `''`, 'string', 2), read: 'r.stringVerify()' },
  bytes: { ...plain('bytes', 'EMPTY', 'Uint8Array', 2), present: (value) => `${value}?.length` },
  bool: plain('bool', 'false', 'boolean', 0),
  int32: plain('int32', '0', 'number', 0),
  uint32: plain('uint32', '0', 'number', 0),
  double: { ...plain('double', '0', 'number', 1), present: (value) => `${value} !== undefined && ${value} !== 0` },
  int64: { ...plain('int64', '0n', 'bigint', 0), write: (value) => `int64(bits(${value}))`, read: 'int64(r)' },
  uint64: { ...plain('uint64', '0n', 'bigint', 0), write: (value) => `uint64(bits(${value}))`, read: 'uint64(r)' },
};

/** The name under which a type is exported: nested ones carry their parent's name. */
function exportName(type: protobuf.ReflectionObject): string {
  return type.parent instanceof protobuf.Type ? `${type.parent.name}_${type.name}` : type.name;
}

function scalarOf(field: protobuf.Field): Scalar | undefined {
  if (field.resolvedType instanceof protobuf.Enum) return SCALARS['int32'];
  if (field.resolvedType !== null) return undefined;
  const scalar = SCALARS[field.type];
  if (scalar === undefined) throw new Error(`${field.fullName}: the type ${field.type} has no codec here`);
  return scalar;
}

function assertSupported(field: protobuf.Field): void {
  const map = field instanceof protobuf.MapField && !(field.type === 'string' && field.keyType === 'string');
  if (map || field.partOf !== null) throw new Error(`${field.fullName}: only maps of strings, and no oneof, are built`);
}

function encodeField(field: protobuf.Field): string {
  const at = `m.${field.name}`;
  const tag = (wire: number): number => (field.id << 3) | wire;
  if (field instanceof protobuf.MapField) return `if (${at}) writeMap(w, ${tag(2)}, ${at});`;
  const scalar = scalarOf(field);
  if (scalar === undefined) {
    const encode = `encode${exportName(field.resolvedType!)}`;
    const write = (value: string): string => `${encode}(${value}, w.uint32(${tag(2)}).fork()), w.ldelim();`;
    return field.repeated ? `if (${at}) for (const x of ${at}) ${write('x')}` : `if (${at}) ${write(at)}`;
  }
  if (!field.repeated) return `if (${scalar.present(at)}) w.uint32(${tag(scalar.wire)}).${scalar.write(at)};`;
  if (scalar.wire === 2) return `if (${at}) for (const x of ${at}) w.uint32(${tag(2)}).${scalar.write('x')};`;
  return `if (${at}?.length) { w.uint32(${tag(2)}).fork(); for (const x of ${at}) w.${scalar.write('x')}; w.ldelim(); }`;
}

function decodeField(field: protobuf.Field): string[] {
  const at = `m.${field.name}`;
  const on = (wire: number, work: string): string => `case ${(field.id << 3) | wire}: ${work}; break;`;
  if (field instanceof protobuf.MapField) return [on(2, `readEntry(r, ${at})`)];
  const scalar = scalarOf(field);
  if (scalar === undefined) {
    const decode = `decode${exportName(field.resolvedType!)}`;
    if (field.repeated) return [on(2, `${at}.push(${decode}(r, ahead(r)))`)];
    // A message field that comes twice is merged (protobuf encoding, "Last One Wins").
    return [on(2, `${at} = ${decode}(r, ahead(r), ${at} ?? undefined)`)];
  }
  if (!field.repeated) return [on(scalar.wire, `${at} = ${scalar.read}`)];
  const one = on(scalar.wire, `${at}.push(${scalar.read})`);
  if (scalar.wire === 2) return [one];
  return [on(2, `for (const e = ahead(r); r.pos < e; ) ${at}.push(${scalar.read})`), one];
}

function emptyOf(field: protobuf.Field): string {
  if (field instanceof protobuf.MapField) return '{}';
  if (field.repeated) return '[]';
  return scalarOf(field)?.empty ?? 'null';
}

function typeOf(field: protobuf.Field): string {
  if (field instanceof protobuf.MapField) return 'Record<string, string>';
  const one = scalarOf(field)?.type ?? exportName(field.resolvedType!);
  if (field.repeated) return `${one}[]`;
  return scalarOf(field) === undefined ? `${one} | null` : one;
}

function emitMessage(type: protobuf.Type): string {
  const name = exportName(type);
  const fields = type.fieldsArray;
  fields.forEach(assertSupported);
  const empty = fields.map((field) => `${field.name}: ${emptyOf(field)}`).join(', ');
  return [
    `function encode${name}(m, w) {`,
    ...fields.map((field) => `  ${encodeField(field)}`),
    '}',
    `function decode${name}(r, end, m = { ${empty} }) {`,
    '  while (r.pos < end) {',
    '    const tag = r.tag();',
    '    switch (tag) {',
    ...fields.flatMap(decodeField).map((line) => `      ${line}`),
    '      default: r.skipType(tag & 7, 0, tag >>> 3);',
    '    }',
    '  }',
    `  if (r.pos !== end) throw new RangeError('${name} runs past its end');`,
    '  return m;',
    '}',
    `export const ${name} = codec('${name}', encode${name}, decode${name});`,
    '',
  ].join('\n');
}

function emitEnum(type: protobuf.Enum): string {
  const values = Object.entries(type.values).map(([name, value]) => `${name}: ${value}`);
  return `export const ${exportName(type)} = Object.freeze({ ${values.join(', ')} });\n`;
}

/** All messages and enums below `scope`, in the order of the source, nested ones before their parents. */
function typesOf(scope: protobuf.NamespaceBase): (protobuf.Type | protobuf.Enum)[] {
  return scope.nestedArray.flatMap((one) => {
    if (one instanceof protobuf.Type) return [...typesOf(one), one];
    return one instanceof protobuf.Enum ? [one] : one instanceof protobuf.Namespace ? typesOf(one) : [];
  });
}

function servicesOf(scope: protobuf.NamespaceBase): protobuf.Service[] {
  return scope.nestedArray.flatMap((one) => {
    if (one instanceof protobuf.Service) return [one];
    return one instanceof protobuf.Namespace && !(one instanceof protobuf.Type) ? servicesOf(one) : [];
  });
}

/** The fields marked `debug_redact`: they never reach a log. */
function redactedOf(types: (protobuf.Type | protobuf.Enum)[]): string[] {
  const fields = types.flatMap((type) => (type instanceof protobuf.Type ? type.fieldsArray : []));
  return [...new Set(fields.filter((field) => field.options?.['debug_redact']).map((field) => field.name))];
}

const RUNTIME = `
const { Reader, Writer } = protobuf;
const EMPTY = Buffer.alloc(0);

/** One message type: \`encode\` takes any part of it, \`decode\` gives every field a value. */
function codec(name, encode, decode) {
  return {
    name,
    encode(message) {
      const w = Writer.create();
      encode(message, w);
      return w.finish(true);
    },
    decode(bytes) {
      const r = Reader.create(bytes);
      return decode(r, r.len);
    },
  };
}

/** Where the length-prefixed value that begins here ends. */
function ahead(r) {
  const size = r.size();
  const end = r.pos + size;
  if (end > r.len) throw new RangeError('a length runs past the end of the message');
  return end;
}

function uint64(r) {
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = next(r);
    low |= (byte & 127) << shift;
    if (byte < 128) return BigInt(low);
  }
  let value = BigInt(low);
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const byte = next(r);
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, value);
  }
  throw new RangeError('a varint is longer than ten bytes');
}

function int64(r) {
  return BigInt.asIntN(64, uint64(r));
}

function next(r) {
  if (r.pos >= r.len) throw new RangeError('a varint runs past the end of the message');
  return r.buf[r.pos++];
}

/** A 64-bit number as protobufjs takes it: numbers as they are, bigints in two halves. */
function bits(value) {
  if (typeof value === 'number') return value;
  const whole = BigInt.asUintN(64, value);
  return { low: Number(whole & 0xffffffffn), high: Number(whole >> 32n) };
}

function writeMap(w, tag, map) {
  for (const key in map) w.uint32(tag).fork().uint32(10).string(key).uint32(18).string(map[key]).ldelim();
}

function readEntry(r, map) {
  const end = ahead(r);
  let key = '';
  let value = '';
  while (r.pos < end) {
    const tag = r.tag();
    if (tag === 10) key = r.stringVerify();
    else if (tag === 18) value = r.stringVerify();
    else r.skipType(tag & 7, 0, tag >>> 3);
  }
  if (r.pos !== end) throw new RangeError('a map entry runs past its end');
  // A plain assignment to __proto__ would replace the map's prototype.
  if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
  else map[key] = value;
}
`;

const HEAD = '// Written by generate.ts from the .proto files. Do not edit: run `node cri/proto/generate.ts`.\n';

/** The codec's JavaScript: functions for every message, enum objects, the service tables. */
export function emitCodec(root: protobuf.Root): string {
  const types = typesOf(root);
  const methods = (service: protobuf.Service): string =>
    service.methodsArray
      .map((method) => {
        const [request, response] = [exportName(method.resolvedRequestType!), exportName(method.resolvedResponseType!)];
        return `    ${method.name}: { request: ${request}, response: ${response}, stream: ${method.responseStream === true} },\n`;
      })
      .join('');
  const services = servicesOf(root).map(
    (service) => `  '${service.fullName.slice(1)}': {\n${methods(service)}  },\n`,
  );
  return [
    HEAD,
    `import protobuf from 'protobufjs/minimal.js';\n`,
    RUNTIME,
    '\n',
    ...types.map((type) => (type instanceof protobuf.Type ? emitMessage(type) : emitEnum(type)) + '\n'),
    `export const services = {\n${services.join('')}};\n\n`,
    `export const redacted = ${JSON.stringify(redactedOf(types))};\n`,
  ].join('');
}

/** The codec's types: decoded messages have every field; what is encoded may leave any out. */
export function emitTypes(root: protobuf.Root): string {
  const message = (type: protobuf.Type): string => {
    const fields = type.fieldsArray.map((field) => `  ${field.name}: ${typeOf(field)};\n`).join('');
    const name = exportName(type);
    return `export interface ${name} {\n${fields}}\nexport const ${name}: Codec<${name}>;\n\n`;
  };
  const enumeration = (type: protobuf.Enum): string => {
    const values = Object.entries(type.values).map(([name, value]) => `  readonly ${name}: ${value};\n`);
    return `export const ${exportName(type)}: {\n${values.join('')}};\n\n`;
  };
  const method = (one: protobuf.Method): string => {
    const [request, response] = [one.resolvedRequestType!, one.resolvedResponseType!].map(exportName);
    return `    ${one.name}: Method<${request}, ${response}, ${one.responseStream === true}>;\n`;
  };
  const services = servicesOf(root).map(
    (service) => `  '${service.fullName.slice(1)}': {\n${service.methodsArray.map(method).join('')}  };\n`,
  );
  return [
    HEAD,
    `
/** What may be encoded: any part of a message; a 64-bit number also as a safe integer. */
export type Input<T> = T extends bigint
  ? bigint | number
  : T extends string | number | boolean | null | undefined | Uint8Array
    ? T
    : T extends (infer One)[]
      ? readonly Input<One>[]
      : { [K in keyof T]?: Input<T[K]> | undefined };

/** One message type. \`decode\` gives every field a value; it throws RangeError or Error on what is no such message. */
export interface Codec<T> {
  readonly name: string;
  encode(message: Input<T>): Buffer;
  decode(bytes: Uint8Array): T;
}

export interface Method<Request, Response, Stream extends boolean> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  readonly stream: Stream;
}

`,
    ...typesOf(root).map((type) => (type instanceof protobuf.Type ? message(type) : enumeration(type))),
    `export const services: {\n${services.join('')}};\n\n`,
    '/** Names of the fields marked `debug_redact`. */\nexport const redacted: readonly string[];\n',
  ].join('');
}
