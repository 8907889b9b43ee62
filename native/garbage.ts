let collector: NodeJS.GCFunction | undefined;

/**
 * V8's own collector of garbage, as `--expose-gc` would put it into the global object. It is taken when it is first
 * needed, because that flag must not stand on the command line: with it, V8 refuses the compiled code which Node carries
 * of its own modules (v8.cachedDataVersionTag tells), and to load what the daemon needs of them takes more than twice
 * as long. Some 170 KB for each thread that asks.
 */
export function garbageCollector(): NodeJS.GCFunction {
  if (collector !== undefined) return collector;
  // Loaded when they are needed: few threads ever are here, and none at its start.
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  const { runInNewContext } = process.getBuiltinModule('node:vm');
  setFlagsFromString('--expose-gc');
  try {
    collector = runInNewContext('gc') as NodeJS.GCFunction;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
  return collector;
}
