import { execFile } from 'node:child_process';
import { layerProgram } from './kubectl.ts';

export interface HelmResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the real helm, with nothing of the caller's own configuration. */
export function helm(...argv: string[]): Promise<HelmResult> {
  const env = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', HELM_PLUGINS: '/nonexistent' };
  return new Promise((resolve) => {
    execFile(
      layerProgram('helm/helm', 'helm'),
      argv,
      { env, maxBuffer: 64 << 20, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
