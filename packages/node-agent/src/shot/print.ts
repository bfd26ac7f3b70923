import type { FarmError } from '@appshot/runtime';
import type { Running } from '../engine/engine.js';

const write = (text: string): void => { process.stdout.write(`${text}\n`); };

/** A value as one line of JSON, or what people read. */
export function print(value: unknown, { json }: { readonly json?: true }, forPeople: () => string): void {
  const text = json === true ? JSON.stringify(value) : forPeople();
  if (text !== '') write(text);
}

/** What went wrong, on standard error: for people, or as one JSON object. */
export function printError(error: FarmError, { json }: { readonly json: boolean }): void {
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: error.toWire() })}\n`);
    return;
  }
  process.stderr.write(`shot: ${error.message}\n`);
  const { lastLines, resources } = error.facts ?? {};
  if (typeof lastLines === 'string' && lastLines !== '') process.stderr.write(`it printed last:\n${lastLines.trimEnd().replace(/^/gm, '  ')}\n`);
  if (Array.isArray(resources)) for (const resource of resources) process.stderr.write(`  ${String(resource)}\n`);
}

/** What `launch`, `restore` and `clone` print of an instance. */
export const started = ({ aid, pid, address, phases }: Running): Record<string, unknown> => ({ aid, pid, address, phases });

export function startedForPeople({ aid, pid, address, phases }: Running): string {
  return `${aid} runs: pid ${pid}, ${address.endsWith(':0') ? address.slice(0, -2) : address} (${phasesForPeople(phases)})`;
}

export function phasesForPeople(phases: Readonly<Record<string, number>>): string {
  return Object.entries(phases).map(([name, ms]) => `${name} ${ms.toFixed(ms < 10 ? 2 : 0)} ms`).join(', ');
}

/** 12.3 MB: powers of 1000, three digits. */
export function bytesForPeople(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

/** Rows under titles in capitals, two spaces between columns. */
export function table(titles: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = [titles.map((title) => title.toUpperCase()), ...rows.map((row) => row.map(String))];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines.map((line) => line.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}
