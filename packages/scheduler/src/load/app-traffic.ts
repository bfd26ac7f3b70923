import type { Aid, Millis, Traffic } from '@appshot/protocol';
import { emptyIdleHistory, recordIdle, type IdleHistory } from '../policy/idle-history.js';
import { quietLoad, type LoadWindow } from '../policy/load-window.js';

/** Length of a slot, milliseconds: as often as a gateway reports. */
const slotMs = 250;

/**
 * A gateway repeats its report every few seconds while anything is in flight. One that is silent for this long has nothing in
 * flight, whatever its last report said: the one after it was lost while NATS was away. Milliseconds.
 */
const silentMs = 15_000;

interface Slot {
  readonly start: Millis;
  /** Requests in flight, integrated over the slot: requests × milliseconds. */
  area: number;
  max: number;
  arrived: number;
  finished: number;
  failed: number;
  /** Response times seen, each with the number of requests that it stands for. */
  p95: { readonly ms: number; readonly count: number }[];
}

/**
 * The traffic of one app: the last report of each gateway, and what happened in slots of a quarter of a second.
 * Time is an argument throughout; it is the scheduler's own, so that gateways' clocks need not agree.
 */
export class AppTraffic {
  readonly #windowMs: number;
  readonly #gateways = new Map<string, { readonly report: Traffic; readonly heardAt: Millis }>();
  #slots: Slot[] = [];
  #countedUntil: Millis;
  readonly #firstAt: Millis;
  #heldSince: Millis | null = null;
  #lastActiveAt: Millis | null = null;
  #idle: IdleHistory;

  constructor(windowMs: number, now: Millis, past: { idle: IdleHistory; lastActiveAt: Millis | null } = { idle: emptyIdleHistory, lastActiveAt: null }) {
    this.#windowMs = windowMs;
    this.#firstAt = now;
    this.#countedUntil = now;
    this.#idle = past.idle;
    this.#lastActiveAt = past.lastActiveAt;
  }

  get idleHistory(): IdleHistory { return this.#idle; }
  get lastActiveAt(): Millis | null { return this.#lastActiveAt; }
  get inFlight(): number { return this.#sum('inFlight'); }
  get held(): number { return this.#sum('held'); }

  /** Takes in one gateway's report. */
  note(report: Traffic, now: Millis): void {
    this.#countUntil(now);
    if (report.arrived > 0 && this.inFlight === 0 && this.#lastActiveAt !== null) this.#idle = recordIdle(this.#idle, now - this.#lastActiveAt);
    this.#gateways.set(report.gateway, { report, heardAt: now });
    if (this.inFlight > 0 || report.arrived > 0) this.#lastActiveAt = now;
    else if (this.#lastActiveAt === null || report.lastActiveAt > this.#lastActiveAt) this.#lastActiveAt = Math.min(now, report.lastActiveAt);
    const slot = this.#slotAt(now);
    slot.arrived += report.arrived;
    slot.max = Math.max(slot.max, this.inFlight);
    for (const one of report.instances) {
      slot.finished += one.finished;
      slot.failed += one.failed;
      if (one.p95Ms !== null && one.finished > 0) slot.p95.push({ ms: one.p95Ms, count: one.finished });
    }
    this.#noteHeld(now);
  }

  /** Forgets gateways that have gone or are silent: what they had in flight is no longer. */
  keepGateways(live: ReadonlySet<string>, now: Millis): void {
    this.#countUntil(now);
    this.#forgetSlots(now);
    for (const [gateway, { heardAt }] of this.#gateways) {
      if (!live.has(gateway) || now - heardAt > silentMs) this.#gateways.delete(gateway);
    }
    this.#noteHeld(now);
  }

  /** Requests in flight to one instance. */
  inFlightTo(aid: Aid): number {
    let sum = 0;
    for (const { report } of this.#gateways.values()) sum += report.instances.find((one) => one.aid === aid)?.inFlight ?? 0;
    return sum;
  }

  window(now: Millis): LoadWindow {
    this.#countUntil(now);
    this.#forgetSlots(now);
    const from = now - this.#windowMs;
    const spanMs = Math.min(this.#windowMs, now - this.#firstAt);
    const total = (of: (slot: Slot) => number): number => this.#slots.reduce((sum, slot) => sum + of(slot), 0);
    // The oldest slot reaches back a little beyond the window: divide by what the slots really cover.
    const covered = Math.max(slotMs, now - Math.max(this.#firstAt, Math.floor(from / slotMs) * slotMs));
    return {
      ...quietLoad,
      spanMs,
      inFlightMean: total((slot) => slot.area) / covered,
      inFlightMax: Math.max(this.inFlight, ...this.#slots.map((slot) => slot.max)),
      inFlightNow: this.inFlight,
      heldNow: this.held,
      heldSince: this.#heldSince,
      arrived: total((slot) => slot.arrived),
      finished: total((slot) => slot.finished),
      failed: total((slot) => slot.failed),
      p95Ms: weightedMean(this.#slots.flatMap((slot) => slot.p95)),
      lastActiveAt: this.#lastActiveAt,
    };
  }

  #sum(field: 'inFlight' | 'held'): number {
    let sum = 0;
    for (const { report } of this.#gateways.values()) sum += report[field];
    return sum;
  }

  #noteHeld(now: Millis): void {
    this.#heldSince = this.held === 0 ? null : this.#heldSince ?? now;
  }

  /** Adds what is in flight to the slots between the last time and now: a gateway is silent while nothing changes. */
  #countUntil(now: Millis): void {
    const inFlight = this.inFlight;
    if (inFlight > 0) {
      // Beyond the window nothing is looked at, so a long silence is not filled slot by slot.
      let at = Math.max(this.#countedUntil, now - this.#windowMs - slotMs);
      while (at < now) {
        const slot = this.#slotAt(at);
        const until = Math.min(now, slot.start + slotMs);
        slot.area += inFlight * (until - at);
        slot.max = Math.max(slot.max, inFlight);
        at = until;
      }
    }
    this.#countedUntil = Math.max(this.#countedUntil, now);
  }

  /** Those before the window. Nobody may ask for a window of an app that sleeps. */
  #forgetSlots(now: Millis): void {
    const from = now - this.#windowMs;
    if (this.#slots.some((slot) => slot.start + slotMs <= from)) this.#slots = this.#slots.filter((slot) => slot.start + slotMs > from);
  }

  #slotAt(at: Millis): Slot {
    const start = Math.floor(at / slotMs) * slotMs;
    const last = this.#slots.at(-1);
    if (last !== undefined && last.start >= start) return last;
    const slot: Slot = { start, area: 0, max: 0, arrived: 0, finished: 0, failed: 0, p95: [] };
    this.#slots.push(slot);
    // Bounded even when nobody asks for a window for a long time.
    if (this.#slots.length > 2 + this.#windowMs / slotMs) this.#slots.shift();
    return slot;
  }
}

/**
 * Percentiles of parts do not add up to the percentile of the whole; their mean by count is close where the parts are alike,
 * and instances of one app behind a least-loaded choice are.
 */
function weightedMean(parts: readonly { ms: number; count: number }[]): number | null {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  return count === 0 ? null : parts.reduce((sum, part) => sum + part.ms * part.count, 0) / count;
}
