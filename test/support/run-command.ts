import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const inRoot = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** The commands as they are installed. */
export const programs = { appshot: inRoot('packages/cli/bin/appshot.js'), shot: inRoot('packages/node-agent/bin/shot.js') };

export const examplesDir = inRoot('examples');
export const fixturesDir = inRoot('test/fixtures');

export interface Ended { readonly status: number | null; readonly stdout: string; readonly stderr: string }

/** Runs a command to its end. */
export function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString(); });
    child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString(); });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}
