/** Major and minor number: gnu_dev_major and gnu_dev_minor (makedev(3)); they fit into 32 bits in Linux. */
export function deviceNumbers(device: number): { major: number; minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}
