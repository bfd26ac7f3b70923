import type { Millis } from '@appshot/protocol';

/** What one app's visitors did during the last seconds, all gateways together. */
export interface LoadWindow {
  /** How much of the window has been observed, milliseconds; short after a start. */
  readonly spanMs: number;
  /** Requests in flight (held ones counted): mean over the window by time, the highest, and now. */
  readonly inFlightMean: number;
  readonly inFlightMax: number;
  readonly inFlightNow: number;
  /** Requests that wait in a gateway for an instance, now. */
  readonly heldNow: number;
  /** Since when there was always at least one held; null when none is held now. */
  readonly heldSince: Millis | null;
  readonly arrived: number;
  readonly finished: number;
  readonly failed: number;
  /** 95th percentile of the response time over the window, milliseconds; null without a finished request. */
  readonly p95Ms: number | null;
  /** When the last request arrived or ended; null when none was ever seen. */
  readonly lastActiveAt: Millis | null;
}

/** A window in which nothing happened. */
export const quietLoad: LoadWindow = {
  spanMs: 0, inFlightMean: 0, inFlightMax: 0, inFlightNow: 0, heldNow: 0, heldSince: null,
  arrived: 0, finished: 0, failed: 0, p95Ms: null, lastActiveAt: null,
};
