import assert from 'node:assert/strict';
import { Fault } from '../../ground/fault.ts';
import fc from 'fast-check';
import { environment } from './environment.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const base = { image: [], container: [], hostname: 'web', tty: false };

/** Any Unicode text without NUL. */
const TEXT = fc
  .array(fc.oneof(fc.integer({ min: 1, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff })))
  .map((points) => String.fromCodePoint(...points));

describe('environment', () => {
  it('gives a path and a host name to a container that brings nothing', () => {
    assert.deepEqual(environment(base, []), [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=web',
    ]);
  });

  it('lets the caller replace the image, and the image the defaults, in place', () => {
    const made = environment(
      {
        ...base,
        image: ['PATH=/image', 'A=1', 'B=2'],
        container: [
          { key: 'A', value: bytes('caller=with=equals') },
          { key: 'HOSTNAME', value: bytes('mine') },
        ],
        tty: true,
        home: '/root',
      },
      [],
    );
    assert.deepEqual(made, [
      'PATH=/image',
      'HOSTNAME=mine',
      'TERM=xterm',
      'HOME=/root',
      'A=caller=with=equals',
      'B=2',
    ]);
  });

  it('keeps every character of a value: line breaks, a byte order mark, characters beyond 16 bits', () => {
    const value = '\uFEFFa\nb\t"\\ 🐋';
    assert.ok(
      environment({ ...base, container: [{ key: 'K', value: bytes(value) }] }, []).includes(`K=${value}`),
    );
  });

  it('carries any text through JSON', () => {
    fc.assert(
      fc.property(TEXT, (value) => {
        const made = environment({ ...base, container: [{ key: 'K', value: bytes(value) }] }, []);
        assert.equal((JSON.parse(JSON.stringify(made)) as string[]).at(-1), `K=${value}`);
      }),
    );
  });

  it('refuses bytes that are not UTF-8, naming the variable', () => {
    assert.throws(
      () => environment({ ...base, container: [{ key: 'RAW', value: Buffer.from([0x66, 0xff]) }] }, []),
      (error) =>
        error instanceof Fault && error.kind === 'invalid' && /"RAW" is not valid UTF-8/.test(error.message),
    );
  });

  it('refuses NUL in a value and names that execve would misread', () => {
    for (const [key, value] of [
      ['K', 'a\0b'],
      ['', 'x'],
      ['A=B', 'x'],
      ['A\0', 'x'],
    ] as const)
      assert.throws(() => environment({ ...base, container: [{ key, value: bytes(value) }] }, []), {
        kind: 'invalid',
      });
  });

  it('leaves image entries without a value out, and says so', () => {
    const notes: string[] = [];
    assert.equal(environment({ ...base, image: ['LONELY', '=x'] }, notes).length, 2);
    assert.equal(notes.length, 2);
  });
});
