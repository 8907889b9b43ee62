import type { DaemonCensus } from '../../cri/census.ts';

const VERSION = 'berth.dev/version';
const DEFAULT_HANDLER = 'berth.dev/default-handler';
const HANDLER = 'berth.dev/handler.';

/** Whether the agent alone keeps a label. Others below berth.dev are somebody's marks for Berth, and stay. */
export function isOwnLabel(key: string): boolean {
  return key === VERSION || key === DEFAULT_HANDLER || key.startsWith(HANDLER);
}

/**
 * The labels that a Node with this daemon has: its version, its default handler, and one for each handler that works.
 * What cannot be written as a label (Kubernetes documentation, "Labels and Selectors": 63 characters of letters,
 * digits, `-`, `_` and `.`) is left out; a version is cut to what can.
 */
export function wantedLabels({
  version,
  handlers,
}: Pick<DaemonCensus, 'version' | 'handlers'>): Record<string, string> {
  const usable = handlers.filter((handler) => handler.usable && isLabelText(handler.name));
  const standard = usable.find(({ isDefault }) => isDefault);
  return {
    [VERSION]: asLabelText(version),
    ...(standard === undefined ? {} : { [DEFAULT_HANDLER]: standard.name }),
    ...Object.fromEntries(
      usable
        .filter(({ name }) => isLabelText(`handler.${name}`))
        .map(({ name }) => [`${HANDLER}${name}`, 'true']),
    ),
  };
}

function isLabelText(text: string): boolean {
  return /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/.test(text);
}

function asLabelText(text: string): string {
  return text
    .replace(/[^\w.-]/g, '_')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}
