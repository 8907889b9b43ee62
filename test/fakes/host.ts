import * as grpc from '@grpc/grpc-js';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RPCS } from '../../cri/rpc.ts';
import { HostFiles, type BeforeChange } from '../../deploy/node/host-files.ts';
import { Node } from '../../deploy/node/node.ts';
import type { HostPrograms, ProgramResult } from '../../deploy/node/programs.ts';
import type { HostSystemd, UnitState } from '../../deploy/node/systemd.ts';
import { Fault } from '../../ground/fault.ts';

/*
 * A node in a directory, for the installer: its programs and its systemd play by a script, and a daemon that counts as
 * running answers on a real socket.
 */

/** What a daemon does once systemd has started it, by the version of its release. */
export type Behaviour = 'serves' | 'exits' | 'hangs' | 'wrong-version' | 'no-network';

export interface FakePod {
  id: string;
  name: string;
  ready: boolean;
}

/** The installer's process is gone: nothing it does from then on has an effect. */
export class Killed extends Error {}

/** A release on disk, with all that the installer looks at. */
export function makeRelease(directory: string, version: string, mark = ''): string {
  mkdirSync(join(directory, 'bin'), { recursive: true });
  mkdirSync(join(directory, 'deploy/systemd'), { recursive: true });
  writeFileSync(join(directory, 'bin/berth'), `#!/bin/sh\n# ${mark}\n`);
  chmodSync(join(directory, 'bin/berth'), 0o755);
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ version }));
  writeFileSync(
    join(directory, 'deploy/systemd/berth.service'),
    `[Service]\nExecStart=/usr/local/bin/berth serve\nExecReload=/usr/local/bin/berth config check\n# ${version}\n[Install]\nWantedBy=multi-user.target\n`,
  );
  return directory;
}

export class FakeHost implements AsyncDisposable {
  readonly root: string;
  /** What was done, in order. */
  readonly changes: string[] = [];
  readonly said: string[] = [];
  readonly behaviours = new Map<string, Behaviour>();
  readonly pods: FakePod[] = [];
  readonly types = ['bridge', 'portmap'];
  /** Units that systemctl refuses to start. */
  readonly broken = new Set<string>();
  readonly active = new Set<string>();
  /** Before which change the installer is killed: its number, from 0. */
  killAt = Infinity;
  /** Whether the last process was killed. */
  killed = false;
  #server: grpc.Server | undefined;
  #count = 0;

  constructor(root: string) {
    this.root = root;
  }

  /** A fresh process of the installer. */
  node(killAt = Infinity): Node {
    this.killAt = killAt;
    this.killed = false;
    this.#count = 0;
    mkdirSync(join(this.root, 'opt/berth/node'), { recursive: true });
    return new Node({
      files: new HostFiles(this.root, this.#before, false),
      programs: this.programs,
      systemd: this.systemd,
      say: (line) => void this.said.push(line),
    });
  }

  /** How many changes the last process made. */
  get count(): number {
    return this.#count;
  }

  readonly #before: BeforeChange = (change) => {
    if (this.#count >= this.killAt) {
      this.killed = true;
      throw new Killed(change);
    }
    this.#count++;
    this.changes.push(change);
  };

  readonly programs: HostPrograms = {
    unmountBelow: async () => {},
    run: async (argv): Promise<ProgramResult> => {
      const ok = { code: 0, stdout: '', stderr: '', late: false };
      const [program, ...rest] = argv;
      if (!existsSync(join(this.root, program!))) return { ...ok, code: 127, stderr: 'no such program' };
      if (rest.join(' ') === 'cni list')
        return { ...ok, stdout: this.types.map((type) => `${type}\n`).join('') };
      const [, , directory, , , only] = rest;
      for (const type of only!.split(',')) {
        this.#before(`cni ${type}`);
        const fresh = join(this.root, directory!, `.${type}.berth-new`);
        writeFileSync(fresh, `# berth cni install\n# of ${program}\n`, { mode: 0o755 });
        renameSync(fresh, join(this.root, directory!, type));
      }
      return ok;
    },
  };

  readonly systemd: HostSystemd = {
    reload: async () => this.#before('systemctl daemon-reload'),
    restart: async (unit) => {
      this.#before(`systemctl restart ${unit}`);
      await this.#start(unit);
    },
    start: async (unit) => {
      this.#before(`systemctl start ${unit}`);
      await this.#start(unit);
    },
    stop: async (unit) => {
      this.#before(`systemctl stop ${unit}`);
      this.active.delete(unit);
      if (unit === 'berth.service') this.#silence();
    },
    launch: async (unit) => this.#before(`systemctl start --no-block ${unit}`),
    state: async (unit): Promise<UnitState> => ({
      known: existsSync(join(this.root, 'etc/systemd/system', unit)) || unit === 'kubelet.service',
      active: this.broken.has(unit) ? 'failed' : this.active.has(unit) ? 'active' : 'inactive',
      mainPid: 1,
      result: this.broken.has(unit) ? 'exit-code' : 'success',
    }),
    lastWords: async () => 'its last words',
  };

  async #start(unit: string): Promise<void> {
    if (unit !== 'berth.service') {
      if (this.broken.has(unit)) throw new Fault('unavailable', `systemctl restart ${unit} failed with 1`);
      this.active.add(unit);
      return;
    }
    this.#silence();
    const release = basename(readlinkSync(join(this.root, 'opt/berth/current')));
    const behaviour = this.behaviours.get(release) ?? 'serves';
    if (behaviour === 'exits') throw new Fault('unavailable', `systemctl restart ${unit} failed with 1`);
    this.active.add(unit);
    if (behaviour !== 'hangs') await this.#serve(release, behaviour);
  }

  async #serve(release: string, behaviour: Behaviour): Promise<void> {
    const path = join(this.root, 'run/berth/berth.sock');
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(join(this.root, 'var/lib/berth'), { recursive: true });
    writeFileSync(join(this.root, 'var/lib/berth/berth.db'), 'records');
    rmSync(path, { force: true });
    const version = behaviour === 'wrong-version' ? '0.0.1' : release.replace(/\+[0-9a-f]{12}$/, '');
    const answers: Record<string, (request: { podSandboxId: string }) => object> = {
      Version: () => ({
        version: '0.1.0',
        runtimeName: 'berth',
        runtimeVersion: version,
        runtimeApiVersion: 'v1',
      }),
      Status: () => ({
        status: {
          conditions: [
            { type: 'RuntimeReady', status: true },
            { type: 'NetworkReady', status: behaviour !== 'no-network', reason: 'NoNetwork' },
          ],
        },
      }),
      ListPodSandbox: () => ({
        items: this.pods.map(({ id, name, ready }) => ({
          id,
          state: ready ? 0 : 1,
          metadata: { name, namespace: 'default' },
        })),
      }),
      StopPodSandbox: () => ({}),
      RemovePodSandbox: ({ podSandboxId }) => {
        this.pods.splice(0, this.pods.length, ...this.pods.filter(({ id }) => id !== podSandboxId));
        return {};
      },
    };
    const server = new grpc.Server();
    for (const { rpc, path: method, request, response, stream } of RPCS.values()) {
      const answer = answers[rpc];
      if (answer === undefined || stream) continue;
      server.addService(
        {
          [rpc]: {
            path: method,
            requestStream: false,
            responseStream: false,
            requestSerialize: (value: Buffer) => value,
            requestDeserialize: (bytes: Buffer) => request.decode(bytes) as { podSandboxId: string },
            responseSerialize: (value: object) => Buffer.from(response.encode(value)),
            responseDeserialize: (bytes: Buffer) => bytes,
          },
        },
        {
          [rpc]: (
            call: grpc.ServerUnaryCall<{ podSandboxId: string }, object>,
            done: grpc.sendUnaryData<object>,
          ) => done(null, answer(call.request)),
        },
      );
    }
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      ),
    );
    this.#server = server;
  }

  #silence(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#silence();
  }
}

/** All of a node that counts: names, modes, times and contents, without what the installer keeps for itself. */
export function pictureOf(root: string, skip = /^\/(opt\/berth\/node|run\/berth)$/, path = ''): string[] {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  return readdirSync(join(root, path))
    .flatMap((name) => {
      const below = `${path}/${name}`;
      if (skip.test(below)) return [];
      const place = join(root, below);
      try {
        return [`${below} -> ${readlinkSync(place)}`];
      } catch {
        const { mode } = statSync(place);
        if (statSync(place).isDirectory())
          return [`${below}/ ${mode.toString(8)}`, ...pictureOf(root, skip, below)];
        return [`${below} ${mode.toString(8)} ${readFileSync(place, 'utf8').replace(/"at":"[^"]*"/, '')}`];
      }
    })
    .concat(found === undefined ? ['gone'] : []);
}
