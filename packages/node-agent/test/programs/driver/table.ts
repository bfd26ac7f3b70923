import type { Outcome } from './drive-program.js';

const columns = ['program', 'version', 'parts', 'launch ms', 'snapshot ms', 'stopped ms', 'restore ms', 'image MB', 'wakes', 'clones', 'failed'] as const;
const firstNumber = 3;

const number = (value: number | null): string => (value === null ? '' : value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function cells(outcome: Outcome): string[] {
  return [
    outcome.program, outcome.version, outcome.parts, number(outcome.launchMs), number(outcome.snapshotMs), number(outcome.stoppedMs), number(outcome.restoreMs),
    number(outcome.imageBytes === null ? null : outcome.imageBytes / 1e6), String(outcome.wakes), String(outcome.clones), outcome.failed.replaceAll('|', '/').replaceAll('\n', ' '),
  ];
}

/** A Markdown table with aligned columns, a program a line. */
export function formatOutcomes(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(cells);
  const widths = columns.map((name, index) => Math.max(name.length, 3, ...rows.map((row) => row[index]?.length ?? 0)));
  const isNumber = (index: number): boolean => index >= firstNumber && index < columns.length - 1;
  const line = (values: readonly string[]): string =>
    `| ${values.map((value, index) => (isNumber(index) ? value.padStart(widths[index] ?? 0) : value.padEnd(widths[index] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, index) => (isNumber(index) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`;
  return [line(columns), rule, ...rows.map(line)].join('\n');
}
