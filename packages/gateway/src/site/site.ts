import type { Aid, Endpoint, InstanceState, Phases, Route } from '@appshot/protocol';
import type { WakeNote } from '../headers/server-timing.js';
import type { Waiting } from '../path/waiting.js';
import { SiteTally } from '../traffic/site-tally.js';
import { chooseLane } from './choose-lane.js';
import { HoldQueue } from './hold-queue.js';
import { Lane, type LaneFacts, type LaneLimits } from './lane.js';
import { supersedes } from './supersedes.js';
import { TrafficSplit } from './traffic-split.js';

/** What requests are given out by. Replaced as a whole on every change, never changed. */
export interface SiteSnapshot {
  readonly concurrency: number;
  readonly holdMs: number;
  readonly ready: readonly Lane[];
  /** While a version is on trial: its instances, all others, and whose turn it is. */
  readonly trial: { readonly split: TrafficSplit; readonly its: readonly Lane[]; readonly others: readonly Lane[] } | null;
}

export interface SiteOptions {
  readonly limits: LaneLimits;
  readonly unconfirmedForMs: number;
  /** An instance became ready, or the limits changed: whoever waits may look again. */
  readonly onChange: (site: Site) => void;
}

/** The report that is due: its timer and when it fires, and when the last one was made. */
export interface DueReport { timer: NodeJS.Timeout | undefined; at: number; reportedAt: number }

const nothingCounted = new SiteTally();

/** How an instance came to be ready, by the state that it was last seen in; the feed may skip what passed quickly. */
const howBy: Partial<Record<InstanceState, string>> = { asleep: 'restore', restoring: 'restore', launching: 'launch', cloning: 'clone', parked: 'unpark', unparking: 'unpark' };

/** One app in this gateway: its instances, who waits for one, and what is counted. Times are by `performance.now()`. */
export class Site {
  readonly app: string;
  snapshot: SiteSnapshot = { concurrency: 1, holdMs: 1, ready: [], trial: null };
  readonly held = new HoldQueue<Waiting>();
  /** Requests from arrival to last byte, held ones counted. */
  inFlight = 0;
  /** Since the last traffic report. */
  arrived = 0;
  /** When the last request arrived or ended. */
  lastActiveAt = 0;
  /** Whether a wake is being asked for. */
  waking = false;
  /** `of`: told by its agent, before the instance was recorded as ready. */
  lastWake: { readonly note: WakeNote; readonly at: number; readonly of?: { readonly aid: Aid; readonly epoch: number } } | undefined;
  removed = false;

  readonly #options: SiteOptions;
  readonly #lanes = new Map<Aid, Lane>();
  /** These a site has from its first visitor on: a farm may have a thousand that sleep, and few that are visited. */
  #tally: SiteTally | undefined;
  #report: DueReport | undefined;
  #turn = 0;
  #split: TrafficSplit | undefined;

  constructor(app: string, options: SiteOptions) {
    this.app = app;
    this.#options = options;
  }

  /** What is counted of its requests, to be added to. */
  get tally(): SiteTally {
    return this.#tally ??= new SiteTally();
  }

  /** The same, to be read. */
  get counted(): SiteTally {
    return this.#tally ?? nothingCounted;
  }

  get report(): DueReport {
    return this.#report ??= { timer: undefined, at: 0, reportedAt: -Infinity };
  }

  get isReportDue(): boolean {
    return this.#report?.timer !== undefined;
  }

  lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  lane(aid: Aid): Lane | undefined {
    return this.#lanes.get(aid);
  }

  /** An instance that may be given a request now; undefined: wait. */
  choose(now: number): Lane | undefined {
    const { ready, concurrency, trial } = this.snapshot;
    const at = { turn: this.#turn++, now };
    if (trial === null) return chooseLane(ready, concurrency, at);
    // The share gives way where the version that it is for cannot take the request: nobody waits for a trial.
    return chooseLane(trial.split.next() ? trial.its : trial.others, concurrency, at) ?? chooseLane(ready, concurrency, at);
  }

  /** Somebody waits, and no instance is ready that does not refuse. */
  needsWake(now: number): boolean {
    return this.held.size > 0 && !this.removed && !this.snapshot.ready.some((lane) => lane.restsUntil <= now);
  }

  /** The one that sleeps, when no other instance could be meant by a wake. */
  get sleeper(): Lane | undefined {
    const [only, ...others] = this.#lanes.values();
    return others.length === 0 && only?.facts.state === 'asleep' ? only : undefined;
  }

  /** The route feed's word. */
  apply(route: Route, now: number): void {
    const named = new Set<Aid>();
    for (const { aid, ...facts } of route.instances) {
      named.add(aid);
      this.#tell(aid, facts, { confirmed: true, now });
    }
    for (const lane of [...this.#lanes.values()]) {
      if (!named.has(lane.aid) && (lane.confirmed || now - lane.learntAt > this.#options.unconfirmedForMs)) this.#drop(lane);
    }
    if (route.trial === null) this.#split = undefined;
    else if (this.#split?.is(route.trial) !== true) this.#split = new TrafficSplit(route.trial);
    this.#publish({ concurrency: route.concurrency, holdMs: route.holdMs });
  }

  /** A wake's answer: used at once, the route feed may come later. */
  woken(aid: Aid, { epoch, endpoint }: { epoch: number; endpoint: Endpoint }, now: number): void {
    this.#tell(aid, { state: 'ready', epoch, endpoint }, { confirmed: false, now });
    this.#publish(this.snapshot);
  }

  /**
   * Its agent's word that an instance which slept or was parked answers; the registry, and who asked for it, will say so later. Only of an
   * instance that the feed has named: what never had a route gets none by this.
   */
  restored(aid: Aid, { how, epoch, endpoint, phases }: { how: string; epoch: number; endpoint: Endpoint; phases: Phases }, now: number): void {
    const lane = this.#lanes.get(aid);
    if (lane === undefined || !supersedes({ state: 'ready', epoch }, lane.facts)) return;
    this.lastWake = { note: { how, phases }, at: now, of: { aid, epoch } };
    lane.become({ state: 'ready', epoch, endpoint });
    this.#publish(this.snapshot);
  }

  /**
   * Nothing is sent to the instance from now on until it is told ready with a higher epoch.
   * @returns undefined when it has been told so already: the drain is of the past
   */
  drain(aid: Aid, epoch: number, now: number): Lane | undefined {
    this.#tell(aid, { state: 'draining', epoch }, { confirmed: false, now });
    this.#publish(this.snapshot);
    const lane = this.#lanes.get(aid)!;
    return lane.ready ? undefined : lane;
  }

  /** The app is gone: no instance of it gets anything more. */
  remove(): void {
    this.removed = true;
    for (const lane of [...this.#lanes.values()]) this.#drop(lane);
    this.#publish(this.snapshot);
  }

  #tell(aid: Aid, facts: LaneFacts, { confirmed, now }: { confirmed: boolean; now: number }): void {
    const known = this.#lanes.get(aid);
    if (known === undefined) {
      this.#lanes.set(aid, new Lane(aid, facts, { limits: this.#options.limits, confirmed, now }));
      return;
    }
    known.confirmed ||= confirmed;
    known.version = facts.version ?? known.version;
    if (!supersedes(facts, known.facts)) return;
    if (confirmed) this.#noteWake(known.facts.state, facts.state, now);
    known.become(facts);
  }

  /** The feed may be quicker than the wake's own answer, which tells the phases: until that comes, this much is known. */
  #noteWake(from: InstanceState, to: InstanceState, now: number): void {
    const how = howBy[from];
    if (to === 'ready' && how !== undefined) this.lastWake = { note: { how, phases: {} }, at: now };
  }

  #drop(lane: Lane): void {
    this.#lanes.delete(lane.aid);
    lane.become({ state: 'gone', epoch: lane.facts.epoch });
  }

  #publish({ concurrency, holdMs }: { concurrency: number; holdMs: number }): void {
    const ready = [...this.#lanes.values()].filter((lane) => lane.ready);
    this.snapshot = { concurrency, holdMs, ready, trial: this.#split === undefined ? null : divide(ready, this.#split) };
    this.#options.onChange(this);
  }
}

function divide(ready: readonly Lane[], split: TrafficSplit): SiteSnapshot['trial'] {
  const its = ready.filter((lane) => lane.version === split.version);
  return { split, its, others: ready.filter((lane) => !its.includes(lane)) };
}
