/** The next `count` free names NAME-1, NAME-2, … */
export function cloneNames(name: string, count: number, taken: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (let number = 1; names.length < count; number += 1) {
    const candidate = `${name}-${number}`;
    if (!taken.has(candidate)) names.push(candidate);
  }
  return names;
}
