import { Fault } from '../../ground/fault.ts';

/** Parts of a device's full name, `vendor.com/class=device` (CDI specification, "Kind" and "CDI Devices"). */
export const VENDOR = /^[A-Za-z]([\w.-]*[A-Za-z0-9])?$/;
export const CLASS = /^[A-Za-z]([\w.-]*[A-Za-z0-9])?$/;
export const DEVICE_NAME = /^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;

const ANNOTATION_PREFIX = 'cdi.k8s.io/';

/**
 * The devices that a container asks for by their full names: those of the field of the request, then those of its
 * annotations `cdi.k8s.io/*` (names with commas between them), each once. Throws `invalid` for what is no full name.
 */
export function requestedCdiDevices(config: {
  cdiDevices: string[];
  annotations: Record<string, string>;
}): string[] {
  const annotated = Object.entries(config.annotations)
    .filter(([key]) => key.startsWith(ANNOTATION_PREFIX))
    .flatMap(([, value]) => value.split(',').map((name) => name.trim()));
  const names = [...new Set([...config.cdiDevices, ...annotated])];
  for (const name of names) {
    const [, vendor = '', klass = '', device = ''] = /^([^/=]+)\/([^/=]+)=(.+)$/.exec(name) ?? [];
    if (!VENDOR.test(vendor) || !CLASS.test(klass) || !DEVICE_NAME.test(device))
      throw new Fault('invalid', `${JSON.stringify(name)} is not the full name of a CDI device`, {
        hint: 'it has to read vendor.com/class=device',
      });
  }
  return names;
}
