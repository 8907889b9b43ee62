import { Fault, type FaultDetails } from '../../ground/fault.ts';

/** Exit code of a command whose configuration has mistakes (EX_CONFIG, sysexits.h): the unit does not try again then. */
export const EX_CONFIG = 78;

/** What is wrong with the configuration: Fault `invalid`. */
export class ConfigMistake extends Fault {
  constructor(what: string, details: FaultDetails = {}) {
    super('invalid', what, details);
  }
}
