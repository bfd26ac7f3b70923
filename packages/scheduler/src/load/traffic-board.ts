import type { AppName, Millis, Traffic } from '@appshot/protocol';
import type { IdleHistory } from '../policy/idle-history.js';
import { AppTraffic } from './app-traffic.js';

/** Length of the window over which load is averaged, milliseconds. */
const windowMs = 2_000;

/** The traffic of every app, as all gateways together report it. */
export class TrafficBoard {
  readonly #apps = new Map<AppName, AppTraffic>();

  note(report: Traffic, now: Millis): void {
    this.of(report.app, now).note(report, now);
  }

  /** The app's traffic; an empty one for an app that nobody has visited. */
  of(app: AppName, now: Millis): AppTraffic {
    let traffic = this.#apps.get(app);
    if (traffic === undefined) this.#apps.set(app, traffic = new AppTraffic(windowMs, now));
    return traffic;
  }

  /** Begins an app with what is remembered of it; does nothing for one that has been seen already. */
  recall(app: AppName, past: { idle: IdleHistory; lastActiveAt: Millis | null }, now: Millis): void {
    if (!this.#apps.has(app)) this.#apps.set(app, new AppTraffic(windowMs, now, past));
  }

  keepGateways(live: ReadonlySet<string>, now: Millis): void {
    for (const traffic of this.#apps.values()) traffic.keepGateways(live, now);
  }

  forget(app: AppName): void {
    this.#apps.delete(app);
  }
}
