import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority } from '../certificates.ts';
import { startRegistry, type Registry } from '../registry.ts';
import { useNode } from '../use-node.ts';

const PORT = 5443;
const IMAGE = 'reg.example/busybox:1';
const STORE = '/etc/ssl/certs';

describe('the authorities that registries are held against', () => {
  const suite = useNode();
  let registry: Registry;
  let authority: Authority;
  let other: Authority;

  before(async () => {
    const { node, library } = suite;
    [authority, other] = ['authority', 'other'].map((name) => {
      const directory = join(node.directory, name);
      mkdirSync(directory);
      return new Authority(directory);
    }) as [Authority, Authority];
    registry = await startRegistry({
      store: library.store,
      port: PORT,
      tls: authority.issue('server', ['IP:127.0.0.1']),
      inside: (argv) => node.space.inside(argv),
    });
  });
  after(() => registry.stop());
  afterEach(async () => {
    await suite.node.restart();
  });

  /** Starts the daemon with this of the environment that the test itself has. */
  async function restart(env: { SSL_CERT_FILE?: string } = {}): Promise<void> {
    await suite.node.restart({ SSL_CERT_FILE: '', SSL_CERT_DIR: '', NODE_EXTRA_CA_CERTS: '', ...env });
  }

  function configure(settings = ''): void {
    const directory = join(suite.node.directory, 'certs.d/reg.example');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'hosts.toml'), `server = "https://127.0.0.1:${PORT}"\n${settings}\n`);
  }

  const pull = (): Promise<unknown> => suite.node.client.call('PullImage', { image: { image: IMAGE } });

  async function pulls(): Promise<void> {
    await pull();
    const { image } = await suite.node.client.call('ImageStatus', { image: { image: IMAGE } });
    assert.ok(image?.repoTags.includes(IMAGE));
  }

  it('are those of the environment, also beside the ones of hosts.toml', async () => {
    configure();
    await restart({ SSL_CERT_FILE: other.ca });
    await assert.rejects(pull(), /RegistryUnavailable/);
    await restart({ SSL_CERT_FILE: authority.ca });
    await pulls();
    configure(`ca = "${other.ca}"`);
    await pulls();
  });

  it('are those of the node, where a distribution keeps them', async () => {
    configure();
    const { node } = suite;
    await node.space.run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', STORE]);
    try {
      // Of a node that has none, too: Node has a list of its own.
      await restart();
      await assert.rejects(pull(), /RegistryUnavailable/);
      await node.space.run(['cp', authority.ca, `${STORE}/ca-certificates.crt`]);
      await restart();
      await pulls();
    } finally {
      await node.space.run(['umount', STORE]);
    }
  });
});
