import { checkedConfig, loadConfig } from '../config/load.ts';
import { printConfig } from '../config/print.ts';
import { defaultConfig } from '../config/schema.ts';

/** `berth config default`: every key with its default and its meaning, as a file. */
export function configDefault(): void {
  process.stdout.write(printConfig(defaultConfig()));
}

/** `berth config show`: what is in force with these files. */
export function configShow(file: string | undefined): void {
  const { config, files } = loadConfig(file);
  process.stdout.write(
    `# from ${files.length === 0 ? 'the defaults' : files.join(', ')}\n\n${printConfig(config)}`,
  );
}

/** `berth config check`: says that the files are sound, or throws Fault with every mistake. */
export function configCheck(file: string | undefined): void {
  const { files } = checkedConfig(file);
  console.log(files.length === 0 ? 'No file: the defaults are in force' : `Sound: ${files.join(', ')}`);
}
