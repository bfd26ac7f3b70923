import { formatTable } from './format-table.js';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isPlain = (value: unknown): boolean => typeof value !== 'object' || value === null;
const indented = (text: string): string => text.split('\n').map((line) => `  ${line}`).join('\n');

/** Any JSON value for people: fields by name, lists of like objects as tables, the rest indented. */
export function formatTree(value: unknown): string {
  if (isPlain(value)) return String(value ?? '-');
  if (Array.isArray(value)) return formatList(value);
  return Object.entries(value as Fields).map(([name, inner]) => formatField(name, inner)).join('\n');
}

function formatField(name: string, value: unknown): string {
  if (isPlain(value)) return `${name}: ${formatTree(value)}`;
  if (Array.isArray(value) && value.every(isPlain)) return `${name}: ${value.length === 0 ? '-' : value.join(', ')}`;
  return `${name}:\n${indented(formatTree(value))}`;
}

function formatList(values: readonly unknown[]): string {
  const isTable = values.length > 0 && values.every((value) => isFields(value) && Object.values(value).every((inner) => isPlain(inner)));
  if (!isTable) return values.map((value) => `- ${indented(formatTree(value)).trimStart()}`).join('\n');
  const titles = [...new Set((values as Fields[]).flatMap((row) => Object.keys(row)))];
  return formatTable(values as Fields[], titles.map((title) => ({ title, cell: (row) => String(row[title] ?? '-') })));
}
