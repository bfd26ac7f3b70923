import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { paths, toolPath } from './paths.mjs';

/** The problem and its remedy in one line, which the scripts print last; before it, what the failed command said. */
export class SetupProblem extends Error {
  constructor(message, said = '') {
    super(message);
    this.said = said;
  }
}

const tailOf = (text, lines) => text.trimEnd().split('\n').slice(-lines).join('\n');

const pauseMs = 5_000;

/**
 * Runs a command in the repository's root and resolves to its output.
 * `show: true` passes the output through to the terminal instead of keeping it.
 * A non-zero status throws a SetupProblem that says `remedy`, with the last lines of output; `allowFailure` returns it instead.
 * `tries`: what fetches something is tried so often, since networks have moments.
 */
export async function runCommand(command, args, { tries = 1, ...options } = {}) {
  for (let left = tries; left > 1; left -= 1) {
    const ended = await runOnce(command, args, { ...options, allowFailure: true });
    if (ended.status === 0) return ended;
    await pause(pauseMs);
  }
  return runOnce(command, args, options);
}

function runOnce(command, args, { env = {}, show = false, allowFailure = false, remedy = '' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: paths.root,
      env: { ...process.env, PATH: toolPath(), ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => { output += chunk; });
    child.stderr?.on('data', (chunk) => { output += chunk; });
    child.on('error', (error) => reject(new SetupProblem(`cannot run ${command}: ${error.message}. ${remedy}`.trim())));
    child.on('close', (status, signal) => {
      if (status === 0 || allowFailure) return resolve({ status, output });
      const how = signal ?? `status ${status}`;
      reject(new SetupProblem(remedy || `${command} ${args.join(' ')} failed (${how}); what it said stands above`, tailOf(output, 30)));
    });
  });
}
