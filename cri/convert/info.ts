/**
 * The `info` of a verbose answer. Each value is a text of its own; crictl expects JSON in them. 64-bit numbers become
 * texts.
 */
export function infoToWire(info: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(info).map(([key, value]) => [key, jsonOf(value)]));
}

/** JSON in which 64-bit numbers are texts. */
export function jsonOf(value: unknown, indent?: number): string {
  const json = JSON.stringify(
    value,
    (_key, one: unknown) => (typeof one === 'bigint' ? String(one) : one),
    indent,
  ) as string | undefined;
  return json ?? 'null';
}
