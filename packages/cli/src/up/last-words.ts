import { readFileSync } from 'node:fs';

/** What a role's log says last of why it ended: the message of its last error, or its last line; empty when there is none. */
export function lastWords(logFile: string): string {
  const lines = readText(logFile).trimEnd().split('\n');
  const last = lines.at(-1) ?? '';
  try {
    const { err, msg } = JSON.parse(last) as { err?: { message?: string }; msg?: string };
    return err?.message ?? msg ?? last;
  } catch {
    return last;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
