import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { driveProgram, type Outcome } from './driver/drive-program.js';
import type { Program } from './driver/program.js';
import { ProgramFarm, searchPath } from './driver/program-farm.js';

export { formatOutcomes } from './driver/table.js';
export { programs } from './servers/index.js';

const run = promisify(execFile);

/** The first number with a dot in what the program says of itself. */
async function versionOf({ version: [name = '', ...args] }: Program): Promise<string> {
  const said = await run(name, args, { env: { ...process.env, PATH: searchPath } });
  return /\d+\.\d[\d.]*/.exec(`${said.stdout}${said.stderr}`)?.[0] ?? 'unknown';
}

/** Drives these programs one after the other, on one engine; tells of each as it is done. */
export async function runPrograms(chosen: readonly Program[], onOutcome: (outcome: Outcome) => void): Promise<Outcome[]> {
  const farm = new ProgramFarm();
  await farm.start();
  const outcomes: Outcome[] = [];
  try {
    for (const program of chosen) {
      const outcome = await driveProgram(farm, program, await versionOf(program).catch(() => 'not installed'));
      outcomes.push(outcome);
      onOutcome(outcome);
    }
  } finally {
    await farm.close();
  }
  return outcomes;
}
