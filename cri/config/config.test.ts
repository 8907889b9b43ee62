import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { loadConfig } from './load.ts';
import { printConfig } from './print.ts';
import { compareConfigs, takeLive } from './reload.ts';
import { defaultConfig } from './schema.ts';

describe('the configuration', () => {
  let directory: string;
  let file: string;

  const refuses = (toml: string, ...texts: string[]): void => {
    writeFileSync(file, toml);
    assert.throws(
      () => loadConfig(file),
      (error: unknown) => {
        assert.ok(error instanceof Fault && error.kind === 'invalid', String(error));
        for (const text of texts) assert.ok(error.message.includes(text), `${error.message}\nlacks: ${text}`);
        return true;
      },
    );
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-config-'));
    file = join(directory, 'berth.toml');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('has a default for every key, and reads back what it prints', () => {
    const printed = printConfig(defaultConfig());
    writeFileSync(file, printed);
    assert.deepEqual(loadConfig(file), { config: defaultConfig(), files: [file] });
    for (const line of printed.split('\n').filter((text) => text.includes(' = ')))
      assert.ok(printed.includes(`\n${line}`) || printed.includes(line));
    assert.match(printed, /# images, containers, records.*\nroot = "\/var\/lib\/berth"/);
    assert.match(printed, /\[runtime\.handlers\.crun\]\n# .*\npath = "crun"/);
  });

  it('needs no file at the default place, but a file that was named', () => {
    assert.throws(() => loadConfig(file), /berth\.toml cannot be read: ENOENT/);
    mkdirSync(file);
    assert.throws(() => loadConfig(file), /berth\.toml cannot be read: EISDIR/);
  });

  it('takes drop-ins in the order of their names, later ones over earlier ones', () => {
    writeFileSync(file, 'root = "/a"\n[network]\npod_cidr = "10.1.0.0/24"\n');
    mkdirSync(`${file}.d`);
    writeFileSync(join(`${file}.d`, '20.toml'), 'root = "/c"\n[runtime.handlers.kata]\npath = "/opt/kata"');
    writeFileSync(join(`${file}.d`, '10.toml'), 'root = "/b"\nstate = "/s"');
    writeFileSync(join(`${file}.d`, 'readme.md'), 'not TOML [');
    const { config, files } = loadConfig(file);
    assert.deepEqual(
      files.map((path) => path.slice(file.length)),
      ['', '.d/10.toml', '.d/20.toml'],
    );
    assert.deepEqual([config.root, config.state, config.network.pod_cidr], ['/c', '/s', '10.1.0.0/24']);
    assert.deepEqual(Object.keys(config.runtime.handlers), ['crun', 'runc', 'kata']);
    assert.deepEqual(config.runtime.handlers['kata'], {
      path: '/opt/kata',
      sandbox: 'inprocess',
      exec: 'auto',
    });
  });

  it('names the nearest key for one that is not there', () => {
    refuses('rot = "/x"', `${file}: there is no key rot, did you mean root?`);
    refuses('[image]\nmax_concurent_download = 3', 'did you mean image.max_concurrent_downloads?');
    refuses('[netwrok]\npod_cidr = "x"', 'there is no key netwrok, did you mean network?');
    refuses('[runtime.handler.crun]\npath = "x"', 'did you mean runtime.handlers?');
    refuses('[runtime.handlers.crun]\npth = "x"', 'did you mean runtime.handlers.crun.path?');
    refuses('zzzzzzzzz = 1', 'there is no key zzzzzzzzz');
  });

  it('names file, key, what is expected and what was found', () => {
    refuses('root = 3', `${file}: root has to be a text, it is the number 3`);
    refuses('root = "var"', 'root is "var": it has to be an absolute path');
    refuses('cri = "x"', 'cri has to be a table, it is the text "x"');
    refuses(
      '[log]\nlevel = "loud"',
      'log.level has to be one of error, warn, info, debug, it is the text "loud"',
    );
    refuses(
      '[image]\nmax_concurrent_downloads = 0',
      'has to be a whole number from 1 to 64, it is the number 0',
    );
    refuses(
      '[network]\nbin_dirs = [1]',
      'network.bin_dirs has to be a list of texts, it is a list of other things',
    );
    refuses('[network]\npod_cidr = "10.1.0.0"', 'network.pod_cidr is "10.1.0.0"');
    refuses('[metrics]\nlisten = "9464"', 'it has to read like 127.0.0.1:9464');
    refuses('[cri]\nlisten = "tcp://x"', 'it has to read like unix:///run/berth/berth.sock');
    refuses('[runtime.handlers.kata]\nsandbox = "oci"', 'runtime.handlers.kata.path is missing');
    refuses('[runtime.handlers."K a"]\npath = "x"', 'small letters');
    refuses('[network]\nbridge = "a-name-too-long-for-it"', 'at most 15 characters');
  });

  it('names every mistake at once', () => {
    refuses('root = 1\nstate = 2', 'root has to be a text', 'state has to be a text');
  });

  it('says where a file is no TOML', () => {
    refuses('root = "/x"\nstate = [', `${file}:2:`, 'this is not TOML');
  });

  it('knows which changes a running daemon takes', () => {
    const after = defaultConfig();
    after.log.level = 'debug';
    after.network.bridge = 'other0';
    after.root = '/x';
    after.image.pinned = ['a'];
    after.runtime.handlers['kata'] = { path: 'kata', sandbox: 'oci', exec: 'auto' };
    assert.deepEqual(compareConfigs(defaultConfig(), after), {
      live: ['image.pinned', 'log.level'],
      restart: ['root', 'network.bridge', 'runtime.handlers'],
    });
    const inForce = defaultConfig();
    takeLive(inForce, after, ['image.pinned', 'log.level']);
    assert.deepEqual(compareConfigs(inForce, after), {
      live: [],
      restart: ['root', 'network.bridge', 'runtime.handlers'],
    });
    assert.deepEqual([inForce.image.pinned, inForce.log.level], [['a'], 'debug']);
  });

  it('says of each key whether a reload takes it', () => {
    const printed = printConfig(defaultConfig());
    assert.match(printed, /# what is logged.* \(a reload takes a new value\)\nlevel = /);
    assert.match(printed, /# where kubelet.* \(a new value waits for a restart\)\nlisten = /);
  });

  it('says so when a directory of drop-ins is no directory', () => {
    writeFileSync(file, '');
    writeFileSync(`${file}.d`, '');
    chmodSync(`${file}.d`, 0o600);
    assert.throws(() => loadConfig(file), /berth\.toml\.d cannot be read: ENOTDIR/);
  });
});
