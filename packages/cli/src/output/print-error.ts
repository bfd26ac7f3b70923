import type { FarmError } from '@appshot/runtime';

/** What went wrong, on standard error: for people, or as one JSON object. */
export function printError(error: FarmError, { json }: { json: boolean }): void {
  if (json) {
    console.error(JSON.stringify({ error: error.toWire() }));
    return;
  }
  console.error(`appshot: ${error.message}`);
  for (const line of detailsOf(error)) console.error(`  ${line}`);
}

function detailsOf({ code, facts, cause, stack }: FarmError): string[] {
  const lastLines = facts?.['lastLines'] ?? facts?.['output'];
  if (typeof lastLines === 'string' && lastLines !== '') return ['it printed last:', ...lastLines.trimEnd().split('\n').slice(-10).map((line) => `  ${line}`)];
  if (Array.isArray(lastLines)) return ['it printed last:', ...lastLines.slice(-10).map((line) => `  ${String(line)}`)];
  // A fault of ours: whoever reports it needs to say where.
  return code === 'internal' && process.env['APPSHOT_LOG'] === 'debug' ? [String((cause as Error | undefined)?.stack ?? stack)] : [];
}
