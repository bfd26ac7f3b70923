import { setTimeout as pause } from 'node:timers/promises';
import { FarmError } from '@appshot/runtime';
import type { ApiClient } from '../api/api-client.js';
import { Instances, Outcomes, type InstanceListing } from '../api/api-schemas.js';

const atRest: ReadonlySet<string> = new Set(['asleep', 'failed', 'gone']);
const withinMs = 120_000;
/** What is being stopped for good is waited for no longer: the next farm goes on stopping it. */
const stoppingWithinMs = 10_000;
const retryMs = 100;

/**
 * Puts everything that is awake to sleep, and waits for what others have under way. What cannot be saved is stopped, and
 * that is said: nothing runs on without a farm.
 */
export async function putAllToSleep(api: ApiClient, say: (line: string) => void): Promise<void> {
  const from = performance.now();
  while (performance.now() - from < withinMs) {
    const awake = (await api.get('/instances', Instances)).filter(({ state }) => !atRest.has(state));
    const isLate = performance.now() - from > stoppingWithinMs;
    if (awake.every(({ state }) => isLate && state === 'stopping')) return;
    await Promise.all(awake.map((instance) => putToSleep(api, instance, say)));
    await pause(retryMs);
  }
  throw new FarmError('timeout', 'some sites could not be put to sleep; "appshot ps" after the next "appshot up" shows which');
}

async function putToSleep(api: ApiClient, { aid, app, state }: InstanceListing, say: (line: string) => void): Promise<void> {
  if (state !== 'ready') return;
  const from = performance.now();
  try {
    await api.post('/sleep', { target: aid }, Outcomes);
    say(`${app} (${aid}) sleeps: ${Math.round(performance.now() - from)} ms`);
  } catch (error) {
    const { code, message } = FarmError.from(error);
    if (code !== 'unsupported-state' && code !== 'disk-full') return say(`${app} (${aid}): ${message}; trying again`);
    say(`${app} (${aid}) cannot be saved and is stopped: ${message}`);
    await api.post('/stop', { target: aid }, Outcomes);
  }
}
