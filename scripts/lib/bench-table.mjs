const columns = ['case', 'metric', 'unit', 'median', 'p99', 'n'];

const cell = (value) => (typeof value !== 'number' ? String(value ?? '')
  : Number.isInteger(value) ? String(value) : value.toPrecision(value >= 100 ? 4 : 3));

/** Rows {case, metric, unit, median, p99, n} as a Markdown table with aligned columns, numbers to the right. */
export function formatRows(rows) {
  const cells = rows.map((row) => columns.map((name) => cell(row[name])));
  const widths = columns.map((name, index) => Math.max(name.length, 3, ...cells.map((line) => line[index].length)));
  const isNumber = (index) => index >= 3;
  const line = (values) => `| ${values.map((value, index) => (isNumber(index) ? value.padStart(widths[index]) : value.padEnd(widths[index]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, index) => (isNumber(index) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`;
  return [line(columns), rule, ...cells.map(line)].join('\n');
}
