import type { UnaryHandler } from '../handler.ts';
import { censusOf } from '../census.ts';
import { jsonOf } from '../convert/info.ts';

/** The daemon's account of itself, as JSON (`DaemonCensus`). */
export const census: UnaryHandler<'Census'> = (rooms) => ({ json: jsonOf(censusOf(rooms)) });
