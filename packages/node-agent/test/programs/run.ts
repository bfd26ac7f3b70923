import { driveProgram, type Outcome } from './driver/drive-program.js';
import type { Program } from './driver/program.js';
import { ProgramFarm } from './driver/program-farm.js';

export { formatOutcomes } from './driver/table.js';
export { programs } from './servers/index.js';

/** Drives these programs one after the other, on one engine; tells of each as it is done. */
export async function runPrograms(chosen: readonly Program[], onOutcome: (outcome: Outcome) => void): Promise<Outcome[]> {
  const farm = new ProgramFarm();
  await farm.start();
  const outcomes: Outcome[] = [];
  try {
    for (const program of chosen) {
      const outcome = await driveProgram(farm, program);
      outcomes.push(outcome);
      onOutcome(outcome);
    }
  } finally {
    await farm.close();
  }
  return outcomes;
}
