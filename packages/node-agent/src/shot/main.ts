import { runShot } from './run-shot.js';

process.exitCode = await runShot(process.argv.slice(2));
