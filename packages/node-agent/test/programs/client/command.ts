import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { patienceMs } from '@appshot/runtime/testing';

const run = promisify(execFile);

/** Runs a program's own client on the host. Its output, trimmed. */
export async function command(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await run(name, [...args], { env: { ...process.env, ...env }, timeout: patienceMs });
  return stdout.trim();
}
