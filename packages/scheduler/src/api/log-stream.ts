import { setTimeout as delay } from 'node:timers/promises';
import { agentCalls, Aid, type InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { resolveTarget } from './targets.js';

/** How often followed logs are asked for more, milliseconds. */
const everyMs = 250;

interface Source { readonly aid: string; readonly node: string; after: number | undefined; rest: string }

/** What an app or instance has printed, and with `follow` what it prints from then on. With several instances each line begins with its AID. */
export async function* logText(farm: Farm, target: string, { follow, signal }: { follow: boolean; signal: AbortSignal }): AsyncGenerator<string> {
  const sources = new Map<string, Source>();
  const add = (one: { aid: string; node: string }): void => { if (!sources.has(one.aid)) sources.set(one.aid, { ...one, after: undefined, rest: '' }); };
  const app = await findSources(farm, target, add);
  do {
    if (app !== null) for (const record of farm.view.of(app).instances) add(record);
    for (const source of sources.values()) {
      const text = await readMore(farm, source);
      if (text !== '') yield sources.size > 1 ? labelled(source, text) : text;
    }
    if (follow && !signal.aborted) await delay(everyMs, undefined, { signal }).catch(() => undefined);
  } while (follow && !signal.aborted);
}

/** The app whose further instances join in while it is followed; null for a single instance. */
async function findSources(farm: Farm, target: string, add: (one: InstanceRecord | { aid: string; node: string }) => void): Promise<string | null> {
  try {
    const targeted = await resolveTarget(farm, target);
    if (targeted.kind === 'app') {
      targeted.instances.forEach(add);
      return targeted.app;
    }
    add(targeted.record);
  } catch (error) {
    // Of an instance that is gone, its node may still have what it printed last: often why it is gone.
    if (!Aid.safeParse(target).success || FarmError.from(error).code !== 'not-found') throw error;
    for (const { node } of farm.nodes.alive(farm.now())) add({ aid: target, node });
  }
  return null;
}

async function readMore(farm: Farm, source: Source): Promise<string> {
  try {
    const { text, next } = await farm.bus.call(agentCalls(source.node).logs, { aid: source.aid, ...(source.after !== undefined && { after: source.after }) });
    source.after = next;
    return text;
  } catch (error) {
    farm.logger.debug({ err: error, aid: source.aid }, 'logs could not be read');
    return '';
  }
}

/** Whole lines with the AID before each; an unfinished line waits for its end. */
function labelled(source: Source, text: string): string {
  const lines = (source.rest + text).split('\n');
  source.rest = lines.pop() ?? '';
  return lines.map((line) => `${source.aid} ${line}\n`).join('');
}
