import { existsSync, readFileSync } from 'node:fs';
import { messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { run } from '../../native/run.ts';
import { findExecutable } from '../../native/spawn.ts';
import type { ApparmorFacts } from '../spec/input.ts';
import { DEFAULT_APPARMOR_PROFILE, defaultApparmorProfile } from './default-profile.ts';

const PROFILES = '/sys/kernel/security/apparmor/profiles';
/** The program that compiles profiles and gives them to the kernel (apparmor_parser(8)). */
export const APPARMOR_PARSER = 'apparmor_parser';
const ABI_FILE = '/etc/apparmor.d/abi/3.0';
/** Compiling the profile takes a tenth of a second; a machine under load ten times that. */
const LOAD_LIMIT_MS = 30_000;

/** What this node has of AppArmor, for people. */
export interface ApparmorStatus {
  /** The kernel has it, and it is on. */
  available: boolean;
  /** Whether the profile that RuntimeDefault means is loaded. */
  defaultProfile: boolean;
  /** Why it is not. */
  reason: string;
}

/** Whether the kernel has AppArmor and it is on: only then securityfs has its list of profiles. */
export function apparmorAvailable(): boolean {
  return existsSync(PROFILES);
}

/** Profiles in the text of /sys/kernel/security/apparmor/profiles: `name (mode)` a line. */
export function apparmorProfiles(text: string): Set<string> {
  return new Set(text.split('\n').flatMap((line) => /^(.+) \(\w+\)$/.exec(line)?.[1] ?? []));
}

/**
 * AppArmor on this node. The default profile is loaded into the kernel with `apparmor_parser`, which compiles it
 * (apparmor_parser(8)), at the daemon's start; again when somebody has unloaded it meanwhile. It stays loaded when the
 * daemon ends: containers are confined by it.
 */
export class Apparmor {
  readonly #exits: ExitWatcher;
  readonly #log: Log;
  readonly #available: boolean;
  #loading: Promise<string> | undefined;
  #reason = '';

  constructor(exits: ExitWatcher, log: Log, available: boolean = apparmorAvailable()) {
    this.#exits = exits;
    this.#log = log;
    this.#available = available;
  }

  /** Loads the default profile; nobody has to wait for it. */
  start(): void {
    if (this.#available) void this.#load();
  }

  /** What the specification of a container is made from. With `wantsDefault` the default profile is loaded first. */
  async facts(wantsDefault: boolean): Promise<ApparmorFacts> {
    if (!this.#available) return { available: false, loaded: new Set() };
    const loaded = loadedProfiles();
    if (!wantsDefault || loaded.has(DEFAULT_APPARMOR_PROFILE)) return { available: true, loaded };
    const noDefault = await this.#load();
    return { available: true, loaded: loadedProfiles(), noDefault };
  }

  status(): ApparmorStatus {
    const defaultProfile = this.#available && loadedProfiles().has(DEFAULT_APPARMOR_PROFILE);
    return { available: this.#available, defaultProfile, reason: defaultProfile ? '' : this.#reason };
  }

  /** Resolves with why the profile cannot be loaded, with '' when it is. Calls at once share one try. */
  #load(): Promise<string> {
    this.#loading ??= loadDefaultProfile(this.#exits)
      .catch((error: unknown) => messageOf(error))
      .then((reason) => {
        this.#loading = undefined;
        this.#reason = reason;
        if (reason !== '') this.#log.warn({ reason }, 'the default AppArmor profile is not loaded');
        return reason;
      });
    return this.#loading;
  }
}

/** Compiles and loads the default profile, in the place of an older one of that name. Resolves with why not, or ''. */
export async function loadDefaultProfile(exits: ExitWatcher): Promise<string> {
  const path = findExecutable(APPARMOR_PARSER);
  if (path === undefined) return `${APPARMOR_PARSER} is not installed: apt install apparmor`;
  const { code, stderr, killed } = await run(exits, {
    path,
    // Neither reads nor writes a cache: the text is in memory, and the profile small.
    argv: [APPARMOR_PARSER, '--skip-cache', '--replace'],
    stdin: Buffer.from(defaultApparmorProfile({ abi: existsSync(ABI_FILE) })),
    timeoutMs: LOAD_LIMIT_MS,
  });
  if (killed !== undefined) return `${APPARMOR_PARSER} did not end within ${LOAD_LIMIT_MS / 1000} s`;
  if (code === 0) return '';
  return `${APPARMOR_PARSER} ended with ${code}: ${stderr.toString().trim() || 'it said nothing'}`;
}

function loadedProfiles(): Set<string> {
  return apparmorProfiles(readFileSync(PROFILES, 'utf8'));
}
