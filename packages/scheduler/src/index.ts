export { parseAppFile, type ParsedAppFile } from './app-file/parse-app-file.js';
export type { AppFileProblem } from './app-file/problem.js';
export { SchedulerConfig } from './config.js';
export { run } from './run.js';
export { startScheduler, type RunningScheduler, type SchedulerParts } from './start-scheduler.js';
