import assert from 'node:assert/strict';
import { Fault, type FaultKind } from '../ground/fault.ts';
import { chainIds } from './layers/chain.ts';
import { parseConfigBlob, parseManifest } from './manifest.ts';
import { amd64Level, checkPlatform, choosePlatform, hostPlatform } from './platform.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OCI = 'application/vnd.oci.image.';
const LAYER = { mediaType: `${OCI}layer.v1.tar+gzip`, digest: DIGEST, size: 5 };
const CONFIG = { mediaType: `${OCI}config.v1+json`, digest: DIGEST, size: 2 };
const bytes = (value: unknown): Buffer =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

function refuses(work: () => unknown, pattern: RegExp, kind: FaultKind = 'invalid'): void {
  assert.throws(
    work,
    (error) => error instanceof Fault && error.kind === kind && pattern.test(error.message),
  );
}

describe('manifests', () => {
  it('reads a manifest and an index, by their own word or by their shape', () => {
    const manifest = {
      schemaVersion: 2,
      mediaType: `${OCI}manifest.v1+json`,
      config: CONFIG,
      layers: [LAYER],
    };
    assert.equal(parseManifest(bytes(manifest), 'text/plain').kind, 'image');
    const { mediaType: _, ...plain } = manifest;
    assert.equal(parseManifest(bytes(plain), '').kind, 'image');
    assert.equal(parseManifest(bytes({ manifests: [] }), '').kind, 'index');
    assert.equal(parseManifest(bytes({ manifests: null }), `${OCI}index.v1+json`).kind, 'index');
  });

  const wrong: [string, unknown, RegExp][] = [
    ['no JSON', '{', /no JSON/],
    ['a list', [], /no JSON object/],
    ['null', null, /no JSON object/],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, /schema 1/],
    ['something else', {}, /no image manifest/],
    ['layers that are no list', { config: CONFIG, layers: {} }, /no list/],
    ['a bad digest', { config: { ...CONFIG, digest: 'sha256:x' }, layers: [] }, /digest "sha256:x"/],
    ['a negative size', { config: { ...CONFIG, size: -1 }, layers: [] }, /size -1/],
    ['a size that is no number', { config: CONFIG, layers: [{ ...LAYER, size: '5' }] }, /size "5"/],
    [
      'a chart',
      { config: { ...CONFIG, mediaType: 'application/vnd.cncf.helm.config.v1+json' }, layers: [] },
      /artifact of type "application\/vnd\.cncf\.helm\.config\.v1\+json", no container image/,
    ],
    [
      'an artifact that says what it is',
      {
        artifactType: 'application/vnd.example.sbom',
        config: { ...CONFIG, mediaType: 'application/vnd.oci.empty.v1+json' },
        layers: [{ ...LAYER, mediaType: 'text/plain' }],
      },
      /artifact of type "application\/vnd\.example\.sbom"/,
    ],
    [
      'a layer of no known kind',
      { config: CONFIG, layers: [{ ...LAYER, mediaType: 'application/vnd.example' }] },
      /no tar/,
    ],
    [
      'a foreign layer of Docker',
      {
        config: CONFIG,
        layers: [LAYER, { ...LAYER, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }],
      },
      /foreign.*push the image again/,
    ],
    [
      'a foreign layer of the OCI',
      { config: CONFIG, layers: [{ ...LAYER, mediaType: `${OCI}layer.nondistributable.v1.tar+gzip` }] },
      /foreign/,
    ],
    [
      'an encrypted layer',
      { config: CONFIG, layers: [{ ...LAYER, mediaType: `${LAYER.mediaType}+encrypted` }] },
      /encrypted/,
    ],
    ['thousands of layers', { config: CONFIG, layers: Array(2000).fill(LAYER) }, /2000 layers/],
  ];
  for (const [what, document, pattern] of wrong) {
    it(`refuses ${what}`, () => refuses(() => parseManifest(bytes(document), `${OCI}manifest.v1`), pattern));
  }

  it('reads configurations, also sparse ones', () => {
    const rootfs = { type: 'layers', diff_ids: [DIGEST] };
    const sparse = parseConfigBlob(bytes({ rootfs, config: null }));
    assert.deepEqual(sparse.diffIds, [DIGEST]);
    assert.deepEqual(sparse.config.cmd, []);
    const full = parseConfigBlob(
      bytes({
        rootfs,
        config: { Cmd: ['a', 1], Env: null, Labels: { a: 'b', c: 1 }, Volumes: { '/v': {} } },
      }),
    );
    assert.deepEqual(
      [full.config.cmd, full.config.env, full.config.labels, full.config.volumes],
      [['a'], [], { a: 'b' }, ['/v']],
    );
    refuses(() => parseConfigBlob(bytes({ rootfs: { diff_ids: ['x'] } })), /diff id/);
    refuses(() => parseConfigBlob(bytes({})), /rootfs/);
  });

  it('chains layers as the specification says', () => {
    const ids = ['sha256:1', 'sha256:2'].map((id) => id.padEnd(71, id.at(-1)));
    const [first, second] = chainIds(ids);
    assert.equal(first, ids[0]);
    assert.match(second!, /^sha256:[0-9a-f]{64}$/);
    assert.notEqual(second, ids[1]);
    assert.deepEqual(chainIds([]), []);
  });
});

describe('platforms', () => {
  const offer = (
    os: string,
    architecture: string,
    variant = '',
  ): Parameters<typeof choosePlatform>[0][number] => ({
    mediaType: '',
    digest: `${os}/${architecture}/${variant}`,
    size: 0,
    annotations: {},
    platform: os === '' ? undefined : { os, architecture, variant },
  });
  const choose = (offers: [string, string, string?][], architecture: string): string =>
    choosePlatform(
      offers.map((each) => offer(...each)),
      { os: 'linux', architecture, variant: '' },
    ).digest;

  it('takes what runs here, the best first', () => {
    assert.equal(
      choose(
        [
          ['linux', 'arm64', 'v8'],
          ['linux', 'amd64', 'v1'],
          ['linux', 'amd64'],
        ],
        'amd64',
      ),
      'linux/amd64/',
    );
    assert.equal(choose([['linux', 'amd64', 'v1']], 'amd64'), 'linux/amd64/v1');
    assert.equal(
      choose(
        [
          ['linux', 'arm', 'v6'],
          ['linux', 'arm', 'v7'],
        ],
        'arm',
      ),
      'linux/arm/v7',
    );
    assert.equal(
      choose(
        [
          ['', ''],
          ['linux', 'arm64', 'v8'],
        ],
        'arm64',
      ),
      'linux/arm64/v8',
    );
    assert.equal(
      choose(
        [
          ['windows', 'amd64'],
          ['', ''],
        ],
        'amd64',
      ),
      '//',
    );
    const capable = { os: 'linux', architecture: 'amd64', variant: 'v3' };
    const variants = ['', 'v4', 'v2', 'v3'].map((variant) => offer('linux', 'amd64', variant));
    assert.equal(choosePlatform(variants, capable).digest, 'linux/amd64/v3');
    assert.equal(choosePlatform(variants.slice(0, 3), capable).digest, 'linux/amd64/v2');
    assert.equal(choosePlatform(variants.slice(0, 2), capable).digest, 'linux/amd64/');
    refuses(() => choose([['linux', 'amd64', 'v3']], 'amd64'), /only for linux\/amd64\/v3/, 'not-found');
    refuses(() => choose([['unknown', 'unknown']], 'amd64'), /unknown/, 'not-found');
  });

  it('knows the level of a processor by its flags', () => {
    const v2 = 'fpu sse2 pni cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3';
    const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`;
    const level = (flags: string): string => amd64Level(`processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t:\n`);
    assert.equal(level('fpu sse2'), '');
    assert.equal(level(v2), 'v2');
    assert.equal(level(`${v2} avx avx2`), 'v2');
    assert.equal(level(v3), 'v3');
    assert.equal(level(`${v3} avx512f avx512bw avx512cd avx512dq avx512vl`), 'v4');
    assert.equal(amd64Level(''), '');
    assert.equal(hostPlatform().os, 'linux');
  });

  it('checks what an image was built for', () => {
    const here = { os: 'linux', architecture: 'amd64', variant: '' };
    checkPlatform({ ...here, variant: 'v2' }, here);
    checkPlatform({ ...here, architecture: '' }, here);
    refuses(
      () => checkPlatform({ ...here, architecture: 'arm64' }, here),
      /linux\/arm64, not for linux\/amd64/,
      'not-found',
    );
    refuses(() => checkPlatform({ ...here, os: 'windows' }, here), /windows/, 'not-found');
  });
});
