import { type Bindings, type Logger, destination, pino, stdTimeFunctions } from 'pino';

export type { Logger } from 'pino';

const secretKeys = ['password', 'pass', 'token', 'secret', 'authorization', 'cookie', '["set-cookie"]', 'env'];

/** Every secret key at the top and up to two levels down: pino's redaction has no "at any depth". */
const redactedPaths = secretKeys.flatMap((key) => {
  const tail = key.startsWith('[') ? key : `.${key}`;
  return [key, `*${tail}`, `*.*${tail}`];
});

/**
 * JSON lines to stderr; stdout belongs to a role's `ready` line and a command's output. Level from APPSHOT_LOG, default `info`.
 * An app's environment is redacted too: people keep passwords there.
 */
export function createLogger(role: string, bindings: Bindings = {}): Logger {
  return pino(
    {
      level: levelFrom(process.env['APPSHOT_LOG']),
      base: { role, pid: process.pid, ...bindings },
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: redactedPaths, censor: '[redacted]' },
      formatters: { level: (label) => ({ level: label }) },
    },
    // Synchronous, so that the line that says why a process ended is not lost with it.
    destination({ fd: 2, sync: true }),
  );
}

function levelFrom(wanted: string | undefined): string {
  return wanted !== undefined && (wanted === 'silent' || wanted in pino.levels.values) ? wanted : 'info';
}
