import type { HostFiles } from './host-files.ts';

/*
 * Where a kubelet is told its runtime's socket: by a flag, which wins, or by its configuration (KubeletConfiguration,
 * containerRuntimeEndpoint). kubeadm writes the flag into kubeadm-flags.env, and since 1.34 the key into
 * instance-config.yaml; people write it into the file of KUBELET_EXTRA_ARGS, which comes last.
 */

/** Where the kubelet stands between its runtime of before and Berth. */
export interface KubeletState {
  /**
   *   (none) --asked, node drained--> switching --> switched --asked, node drained--> restoring --> restored --> (none)
   *                                       | not healthy                                  | not healthy
   *                                       v                                              v
   *                                 restored, reason                                switched, reason
   */
  phase: 'switching' | 'switched' | 'restoring' | 'restored';
  /** Ours. */
  endpoint: string;
  /** What the kubelet had; undefined when it had none (its default is containerd's). */
  before?: string;
  unit: string;
  seconds: number;
  /** Files as they are with our endpoint. */
  files: { path: string; text: string }[];
  /** Why the last turn did not work out. */
  reason?: string;
  /** The Node's annotation before ours; null when there was none, undefined when it was never changed. */
  annotation?: string | null;
}

const ENV_FILES: [path: string, variable: string][] = [
  ['/var/lib/kubelet/kubeadm-flags.env', 'KUBELET_KUBEADM_ARGS'],
  ['/etc/default/kubelet', 'KUBELET_EXTRA_ARGS'],
  ['/etc/sysconfig/kubelet', 'KUBELET_EXTRA_ARGS'],
];
const CONFIG = '/var/lib/kubelet/config.yaml';
const YAML_FILES = [CONFIG, '/var/lib/kubelet/instance-config.yaml'];
/** The kubelet's own default (kubelet(1), --container-runtime-endpoint). */
export const DEFAULT_ENDPOINT = 'unix:///run/containerd/containerd.sock';

const FLAG = /--container-runtime-endpoint[= ]([^\s"']+)/g;
const KEY = /^containerRuntimeEndpoint:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#]*))[^\n]*$/m;

/** The endpoint that the kubelet's files name: of the place that wins. */
export function endpointOf(files: HostFiles): string | undefined {
  const flags = ENV_FILES.flatMap(([path]) =>
    [...(files.read(path) ?? '').matchAll(FLAG)].map((one) => one[1]!),
  );
  if (flags.length > 0) return flags.at(-1);
  return YAML_FILES.map((path) => keyOf(files.read(path) ?? '')).findLast((one) => one !== undefined);
}

function keyOf(text: string): string | undefined {
  const match = KEY.exec(text);
  return match === null ? undefined : match[1] || match[2] || match[3] || undefined;
}

/** What has to be in the kubelet's files so that it goes to `endpoint`: every place that names one names this one. */
export function filesWith(files: HostFiles, endpoint: string): { path: string; text: string }[] {
  const changed = [...ENV_FILES.map(([path]) => path), ...YAML_FILES].flatMap((path) => {
    const text = files.read(path);
    const fresh = text === undefined ? undefined : turned(text, endpoint);
    return fresh === undefined || fresh === text ? [] : [{ path, text: fresh }];
  });
  if (changed.length > 0) return changed;
  const [flags, variable] = ENV_FILES[0]!;
  const text = files.read(flags);
  const argument = new RegExp(`^(${variable}=)(["']?)`, 'm');
  if (text !== undefined && argument.test(text))
    return [{ path: flags, text: text.replace(argument, `$1$2--container-runtime-endpoint=${endpoint} `) }];
  const config = files.read(CONFIG);
  if (config !== undefined) {
    const newline = config === '' || config.endsWith('\n') ? '' : '\n';
    return [{ path: CONFIG, text: `${config}${newline}containerRuntimeEndpoint: ${endpoint}\n` }];
  }
  const [extra, name] = ENV_FILES[1]!;
  const rest = files.read(extra) ?? '';
  return [{ path: extra, text: `${rest}${name}="--container-runtime-endpoint=${endpoint}"\n` }];
}

/** A text with another endpoint in each place that names one. */
export function turned(text: string, endpoint: string): string {
  return text
    .replaceAll(FLAG, `--container-runtime-endpoint=${endpoint}`)
    .replace(KEY, (line) => (keyOf(line) === undefined ? line : `containerRuntimeEndpoint: ${endpoint}`));
}

/** The port of the kubelet's health check; 0 when it has none. */
export function healthPort(files: HostFiles): number {
  const port = /^healthzPort:\s*(\d+)/m.exec(files.read(CONFIG) ?? '')?.[1];
  return port === undefined ? 10_248 : Number(port);
}
