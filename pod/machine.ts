/**
 * Why pods cannot be made on this machine; empty where they can. Pause and what joins a pod's namespaces are machine
 * code that Berth writes itself, and some numbers of system calls are those of x86-64. `arch` as `process.arch` says.
 */
export function machineTrouble(arch: string = process.arch): string {
  return arch === 'x64' ? '' : `Berth makes pods on x86-64 only; this machine is ${arch}`;
}
