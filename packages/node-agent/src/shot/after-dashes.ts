/** A command line given behind `--`; commander leaves the dashes there when other arguments come first. */
export const afterDashes = (words: readonly string[]): readonly string[] => (words[0] === '--' ? words.slice(1) : words);
