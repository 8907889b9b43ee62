import assert from 'node:assert/strict';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import * as codecModule from './codec.js';
import { ContainerStatus, KeyValue, PodSandbox, PullImageRequest, redacted, type Codec } from './codec.js';
import { loadProtos } from './generate.ts';

const root = loadProtos();
const codecs = new Map(
  Object.values(codecModule as Record<string, unknown>)
    .filter((one): one is Codec<unknown> => typeof one === 'object' && one !== null && 'decode' in one)
    .map((one) => [one.name, one]),
);
const types = [...codecs.keys()].map((name) => root.lookupType(name));

const SCALARS: Record<string, fc.Arbitrary<unknown>> = {
  string: fc.string({ unit: 'grapheme' }),
  bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  bool: fc.boolean(),
  int32: fc.integer(),
  uint32: fc.nat({ max: 0xffffffff }),
  double: fc.double({ noNaN: true }).map((value) => value + 0),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
};

/** Any message of a type with every field present, nested ones down to a depth. */
function messages(type: protobuf.Type, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const one = (field: protobuf.Field): fc.Arbitrary<unknown> => {
    if (field.resolvedType instanceof protobuf.Enum)
      return fc.constantFrom(...Object.values(field.resolvedType.values));
    if (field.resolvedType instanceof protobuf.Type)
      return depth > 2 ? fc.constant(null) : messages(field.resolvedType, depth + 1);
    return SCALARS[field.type]!;
  };
  const any = (field: protobuf.Field): fc.Arbitrary<unknown> => {
    field.resolve();
    if (field instanceof protobuf.MapField)
      return fc
        .array(fc.tuple(fc.string(), fc.string()), { maxLength: 3 })
        .map((pairs) => Object.fromEntries(pairs.filter(([key]) => key !== '__proto__')));
    const single = one(field);
    if (!field.repeated)
      return field.resolvedType instanceof protobuf.Type ? fc.option(single, { nil: null }) : single;
    return fc.array(single, { maxLength: 3 }).map((list) => list.filter((item) => item !== null));
  };
  return fc.record(Object.fromEntries(type.fieldsArray.map((field) => [field.name, any(field)])), {
    noNullPrototype: true,
  });
}

/** The same with 64-bit numbers as protobufjs's own codec takes them. */
function forReflection(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(forReflection);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (one === null ? [] : [[key, forReflection(one)]])),
  );
}

describe('the static codec', () => {
  it('reads and writes every message as the reflection codec does', function () {
    this.timeout(10_000);
    for (const type of types) {
      const codec = codecs.get(type.name)!;
      fc.assert(
        fc.property(messages(type), (message) => {
          const theirs = type.encode(type.fromObject(forReflection(message) as object)).finish();
          assert.deepEqual(codec.decode(theirs), message);
          assert.deepEqual(codec.decode(codec.encode(message as object)), message);
          assert.deepEqual(
            type.toObject(type.decode(codec.encode(message as object)), { longs: String }),
            type.toObject(type.decode(theirs), { longs: String }),
          );
        }),
        { numRuns: 4 },
      );
    }
  });

  it('keeps nanoseconds exact', () => {
    const createdAt = 1_790_000_000_123_456_789n;
    assert.equal(PodSandbox.decode(PodSandbox.encode({ createdAt })).createdAt, createdAt);
    assert.equal(ContainerStatus.decode(ContainerStatus.encode({ finishedAt: -1 })).finishedAt, -1n);
  });

  it('keeps bytes that are no UTF-8', () => {
    const value = Buffer.from([0xff, 0x00, 0xfe]);
    assert.deepEqual(KeyValue.decode(KeyValue.encode({ key: 'A', value })).value, value);
  });

  it('refuses text that is no UTF-8', () => {
    assert.throws(() => KeyValue.decode(Buffer.from([0x0a, 1, 0xff])));
  });

  it('skips fields it does not know and merges a message that comes twice', () => {
    const known = PullImageRequest.encode({ image: { image: 'a' } });
    const again = PullImageRequest.encode({ image: { runtimeHandler: 'crun' } });
    const unknown = Buffer.from([0xfa, 0x3e, 2, 1, 2]);
    const { image } = PullImageRequest.decode(Buffer.concat([known, unknown, again]));
    assert.equal(image?.image, 'a');
    assert.equal(image?.runtimeHandler, 'crun');
  });

  it('gives a map key named __proto__ no power', () => {
    const entry = Buffer.from('\x0a\x09__proto__\x12\x01x', 'latin1');
    const { labels } = PodSandbox.decode(Buffer.concat([Buffer.from([0x2a, entry.length]), entry]));
    assert.deepEqual(Object.keys(labels), ['__proto__']);
    assert.equal(Object.getPrototypeOf(labels), Object.prototype);
  });

  it('never reads past the end, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const codec of codecs.values()) {
          try {
            codec.decode(bytes);
          } catch (error) {
            assert.ok(error instanceof Error); // a refusal; a crash or a hang is what this looks for
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  it('knows the secret fields', () => {
    assert.deepEqual([...redacted].sort(), ['auth', 'identityToken', 'password', 'registryToken']);
  });
});
