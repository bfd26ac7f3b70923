import { InvalidArgumentError } from 'commander';

/** Parses an option that is a whole number from `least` to `most`. */
export function numberBetween(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
    return number;
  };
}
