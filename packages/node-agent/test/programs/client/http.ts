import { patienceMs } from '@appshot/runtime/testing';
import type { Site } from '../driver/program.js';

/** The text of an answer, over a connection of its own. @throws when there is none in time, or it is not of status 200 */
export async function get({ address }: Pick<Site, 'address'>, path = '/'): Promise<string> {
  const response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } });
  const text = (await response.text()).trim();
  if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text.slice(0, 200)}`);
  return text;
}

/** The number behind a word in a text: `visits 12`. @throws when there is none */
export function numberAfter(text: string, word: string): number {
  const found = new RegExp(`${word}\\D{0,3}?(\\d+)`).exec(text)?.[1];
  if (found === undefined) throw new Error(`no "${word}" in: ${text.slice(0, 300)}`);
  return Number(found);
}

/** For programs that answer `visits N` on / and `ticks N` on /ticks. */
export const counter = {
  visit: async (site: Site): Promise<number> => numberAfter(await get(site), 'visits'),
  ticks: async (site: Site): Promise<number> => numberAfter(await get(site, '/ticks'), 'ticks'),
};

/** For programs that answer random numbers, a line each, on /draws. */
export const draws = async (site: Site): Promise<readonly string[]> => (await get(site, '/draws')).split('\n');
