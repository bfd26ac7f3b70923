import { Closer } from './closer.js';
import { FarmError } from './farm-error.js';
import { exitCodeOf } from './error-status.js';
import { createLogger, type Logger } from './logger.js';
import { tidyWhenIdle } from './tidy-when-idle.js';

/** What starting a role gives: how to end it, and facts for its `ready` line (its address, say). */
export type RunningRole = (() => Promise<void>) | { close(): Promise<void>; facts?: Record<string, unknown> };

/** Milliseconds from the first signal to the hard end. Longer than any drain a role makes. */
const exitWithinMs = 60_000;

/**
 * The main of a role: starts it, prints `{"ready":NAME,"pid":…}` as one line on stdout, ends it on SIGTERM or SIGINT
 * (a second signal ends the process at once), and exits 1 with a log line on anything uncaught.
 */
export async function runRole(name: string, start: (logger: Logger) => Promise<RunningRole>): Promise<void> {
  const logger = createLogger(name);
  const closer = new Closer({ logger, stepWithinMs: exitWithinMs });
  const die = (err: unknown, what: string): never => {
    logger.fatal({ err }, what);
    process.exit(1);
  };
  process.on('uncaughtException', (err) => die(err, 'uncaught exception'));
  process.on('unhandledRejection', (err) => die(err, 'unhandled rejection'));

  let signalled = false;
  const end = (signal: NodeJS.Signals): void => {
    if (signalled) process.exit(1);
    signalled = true;
    logger.info({ signal }, 'ending');
    void closer.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);

  try {
    const running = await start(logger);
    const { close, facts } = typeof running === 'function' ? { close: running, facts: {} } : { close: () => running.close(), facts: running.facts };
    closer.add(name, close);
    tidyWhenIdle();
    if (!signalled) process.stdout.write(`${JSON.stringify({ ready: name, pid: process.pid, ...facts })}\n`);
  } catch (error) {
    if (signalled) return;
    logger.fatal({ err: error }, 'could not start');
    process.exit(exitCodeOf(FarmError.from(error).code));
  }
}
