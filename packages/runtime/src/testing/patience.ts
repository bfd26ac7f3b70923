import { waitUntil as waitUntilWithin, type WaitOptions } from '../wait-until.js';

/**
 * How long a test waits for what has to happen. Only what is broken takes so long: how fast something is belongs in a benchmark, and a
 * machine that runs tests may be small, busy, and its disk slow.
 */
export const patienceMs = 60_000;

/** `waitUntil` with a test's patience. */
export const waitUntil: typeof waitUntilWithin = (condition, options: WaitOptions = {}) => waitUntilWithin(condition, { withinMs: patienceMs, ...options });
