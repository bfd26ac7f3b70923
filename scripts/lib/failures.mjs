/** Of each failed test at most so many lines, and of all of them together. */
const linesEach = 6;
const linesInAll = 40;
const columns = 400;

const short = (line) => (line.length > columns ? `${line.slice(0, columns)} …` : line);

/**
 * What failed and why, for the end of a run: who has only the last lines of its output shall know the causes.
 * @param failures `{ name, lines }` of each failed test
 */
export function summaryOf(failures) {
  const texts = failures.map(({ name, lines }) => [`failed: ${short(name)}`, ...lines.slice(0, linesEach - 1).map((line) => `  ${short(line.trim())}`)]);
  // Where there is not room for all, every test is named first.
  const each = Math.max(1, Math.floor(linesInAll / Math.max(1, texts.length)));
  const left = texts.length - linesInAll;
  return [...texts.slice(0, linesInAll).flatMap((text) => text.slice(0, each)), ...(left > 0 ? [`and ${left} more`] : [])];
}

/** The lines of a difference that were changed, each with what was wrapped off it. */
function changesIn(lines) {
  const changes = [];
  let isOpen = false;
  for (const line of lines) {
    if (/^\s*[-+] /.test(line)) changes.push(line.trim());
    else if (isOpen && /[^\s{}[\],]/.test(line)) changes.push(`${changes.pop()} ${line.trim()}`);
    isOpen = changes.length > 0 && !/^\s*[{}[\],]*$/.test(line);
  }
  return changes;
}

/** What matters of the YAML with which TAP tells of a failure: what was wrong, by how much, and where in our tests. */
export function reasonsIn(yaml) {
  const at = yaml.findIndex((line) => /^\s*at: /.test(line));
  const said = (at < 0 ? yaml : yaml.slice(0, at)).filter((line) => !/^\s*(name: (AssertionError|Error)|message: ''|details:|)$/.test(line));
  const place = yaml.slice(Math.max(0, at)).find((line) => /\.test\.ts:\d+/.test(line));
  const changes = changesIn(said);
  const reasons = changes.length > 0 ? [...said.filter((line) => /^\s*message: /.test(line)), ...changes] : said;
  return [...reasons.slice(0, linesEach - 2), ...(place === undefined ? [] : [place])];
}
