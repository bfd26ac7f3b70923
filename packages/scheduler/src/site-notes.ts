import type { AppName, Millis } from '@appshot/protocol';
import type { Desired } from './policy/decide-shrink.js';
import type { Growth } from './policy/decide-tiers.js';

/** What a scheduler keeps in mind of one app between two looks at it. Lost with the scheduler, and that does no harm. */
export interface SiteNotes {
  /** Since when this scheduler has looked at it. */
  readonly observedSince: Millis;
  desired: Desired[];
  lastGrownAt: Millis | null;
  /** How many instances were added to it lately, and when. */
  growth: Growth[];
  /** Not put to sleep before this time: it was busy, or could not be saved. */
  sleepNotBefore: Millis;
  /** Times that it could not be saved, one after the other. */
  sleepFailures: number;
  /** What a visitor waits for its wake, milliseconds; a moving mean. */
  wakeMs: number;
  /** What an instance used when it was last put to sleep, bytes; 0 when that is not known. */
  memoryBytes: number;
  /** The version of which no template can be made. */
  templateImpossible: number | null;
  templateNotBefore: Millis;
  /** Times that no template could be made, one after the other. */
  templateFailures: number;
  /** The template that was made of an instance before that had come to rest: to be made once more. */
  templateOfUnrested: string | null;
  /** Times that it could not be started, one after the other, and until when it is not tried again. */
  startFailures: number;
  startNotBefore: Millis;
  startError: string | null;
}

/** Wake time assumed of an app that was never seen to wake, milliseconds. */
const firstWakeMs = 30;

export class SiteMemory {
  readonly #notes = new Map<AppName, SiteNotes>();

  of(app: AppName, now: Millis): SiteNotes {
    let notes = this.#notes.get(app);
    if (notes === undefined) {
      notes = {
        observedSince: now, desired: [], lastGrownAt: null, growth: [], sleepNotBefore: 0, sleepFailures: 0, wakeMs: firstWakeMs, memoryBytes: 0,
        templateImpossible: null, templateNotBefore: 0, templateFailures: 0, templateOfUnrested: null, startFailures: 0, startNotBefore: 0, startError: null,
      };
      this.#notes.set(app, notes);
    }
    return notes;
  }

  forget(app: AppName): void {
    this.#notes.delete(app);
  }
}

/** A new mean that half-forgets in three wakes. */
export const withWake = (meanMs: number, wakeMs: number): number => meanMs + (wakeMs - meanMs) * 0.2;

/** Pause after the n-th failure in a row, milliseconds: 1 s, doubling, at most a minute. */
export const pauseAfter = (failures: number): number => Math.min(60_000, 1_000 * 2 ** Math.max(0, failures - 1));
