import { resolve } from 'node:path';
import { AppSpec, parseRules, portClashes } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { isAlias, isCollection, isMap, isScalar, LineCounter, parseDocument, type Document, type Node, type Scalar } from 'yaml';
import { checkAppFile, type Finding } from './check-app-file.js';
import { pathText, type AppFileProblem } from './problem.js';

export interface ParsedAppFile {
  readonly spec: AppSpec;
  /** Line on which the value at a path stands; for problems that only the registry can see. */
  lineOf(path: readonly PropertyKey[]): number;
}

/**
 * Reads an app file. `baseDir`, absolute, is where the file lies: its `cwd` is relative to it.
 * FarmError `app-file-invalid` with `facts.problems`, all of them, by line.
 */
export function parseAppFile(text: string, baseDir: string): ParsedAppFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined): number => (offset === undefined ? 1 : lines.linePos(offset).line);
  const syntax = document.errors.map((error): AppFileProblem =>
    ({ line: lineAt(error.pos[0]), path: '', problem: error.message.split('\n')[0] ?? error.message, allowed: 'YAML, each key once' }));
  if (syntax.length > 0) throw invalid(syntax);
  if (!isMap(document.contents)) throw invalid([{ line: 1, path: '', problem: 'this is not an app file', allowed: 'YAML with the keys name, hosts, command, port, …' }]);

  const lineOf = (path: readonly PropertyKey[], atKey = false): number => lineAt(offsetAt(document, path, atKey));
  const { file, findings } = checkAppFile(valueOf(document));
  const ruleProblems = checkRules(document, lineOf, file ?? {});
  const problems = [...findings.map((finding) => located(finding, lineOf)), ...ruleProblems].sort((a, b) => a.line - b.line);
  if (file === null || problems.length > 0) throw invalid(problems);
  return { spec: AppSpec.parse({ ...file, cwd: resolve(baseDir, file.cwd) }), lineOf };
}

/** An alias without its anchor, or a bomb of aliases, is only found when the values are made. */
function valueOf(document: Document): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw invalid([{ line: 1, path: '', problem: error instanceof Error ? error.message : String(error), allowed: 'YAML whose aliases have anchors' }]);
  }
}

/** The error that names every problem, by line. */
export function invalid(problems: readonly AppFileProblem[]): FarmError {
  const told = problems.map(({ line, path, problem, allowed }) => `line ${line}: ${path === '' ? '' : `${path}: `}${problem} (allowed: ${allowed})`);
  return new FarmError('app-file-invalid', `the app file was refused\n${told.map((one) => `  ${one}`).join('\n')}`, { facts: { problems } });
}

const located = (finding: Finding, lineOf: (path: readonly PropertyKey[], atKey?: boolean) => number): AppFileProblem =>
  ({ line: lineOf(finding.path, finding.atKey), path: pathText(finding.path), problem: finding.problem, allowed: finding.allowed });

function checkRules(document: Document, lineOf: (path: readonly PropertyKey[]) => number, file: Pick<Partial<AppSpec>, 'port' | 'expose'>): AppFileProblem[] {
  const node = document.getIn(['rules'], true);
  if (!isScalar(node) || typeof node.value !== 'string') return [];
  // The text of a block scalar begins on the line after its `|`.
  const first = lineOf(['rules']) + (isBlock(node) ? 1 : 0);
  const { rules, problems } = parseRules(node.value);
  const clashes = portClashes(rules, file).map(({ line, port, path }) => ({
    line,
    problem: `VIRTUALIZE PORT ${port} keeps inside what line ${lineOf(path)} (${pathText(path)}) has reached from outside`,
    allowed: 'one of the two',
  }));
  return [...problems, ...clashes].map(({ line, problem, allowed }) => ({ line: first + line - 1, path: 'rules', problem, allowed }));
}

const isBlock = (node: Scalar): boolean => node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';

/** Where a path's value (or key) stands in the text; of a path that is not there, its nearest parent. */
function offsetAt(document: Document, path: readonly PropertyKey[], atKey: boolean): number | undefined {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0];
  path.forEach((step, depth) => {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    if (!isCollection(node)) return void (node = null);
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step)) : undefined;
    const key: Node | undefined = isScalar(pair?.key) ? pair.key : undefined;
    const value: Node | null = (pair === undefined ? node.get(step, true) : pair.value) as Node | null ?? null;
    const last = depth === path.length - 1;
    const at: number | undefined = ((last && atKey) || value === null ? key : value)?.range?.[0] ?? key?.range?.[0];
    if (at !== undefined) offset = at;
    node = value;
  });
  return offset;
}
