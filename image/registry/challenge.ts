/** One challenge of a `WWW-Authenticate` header: scheme in lower case, parameters by lower-case name. */
export interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SPACE = /[ \t]*/y;

/**
 * Reads the challenges of a `WWW-Authenticate` header (RFC 9110, 11.6.1): a comma-separated list in which each
 * challenge has its own comma-separated parameters. What cannot be read ends the list.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match === null) return undefined;
    at = pattern.lastIndex;
    return match;
  };
  while (at < header.length) {
    take(SPACE);
    if (header[at] === ',') {
      at++;
      continue;
    }
    const word = take(TOKEN)?.[0];
    if (word === undefined) break;
    take(SPACE);
    if (header[at] !== '=') {
      challenges.push({ scheme: word.toLowerCase(), parameters: {} });
      continue;
    }
    at++;
    take(SPACE);
    const quoted = take(QUOTED);
    const value = quoted ? quoted[1]!.replace(/\\(.)/g, '$1') : take(TOKEN)?.[0];
    const current = challenges.at(-1);
    if (value === undefined || current === undefined) break;
    current.parameters[word.toLowerCase()] = value;
  }
  return challenges;
}
