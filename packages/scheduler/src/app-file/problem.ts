/** One thing wrong with an app file. */
export interface AppFileProblem {
  /** Line in the file, from 1. */
  readonly line: number;
  /** Where in the file's structure, as `scale.max` or `hosts[1]`; empty for the file as a whole. */
  readonly path: string;
  readonly problem: string;
  /** What may stand there. */
  readonly allowed: string;
}

/** Path as people write it. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text === '' ? '' : '.'}${String(key)}`), '');
}
