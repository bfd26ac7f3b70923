import { setTimeout as delay } from 'node:timers/promises';
import { AppTrial, InstanceRecord, type Route, type RouteChange } from '@appshot/protocol';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';
import { routeOf } from './route-of.js';
import type { SpecReader } from './spec-reader.js';
import { fieldsOf, type StreamEntry, StreamFollower } from './stream-follower.js';
import { untilAborted } from './until-aborted.js';

/** Where a follower is in the feed: the entry it has seen last, and that entry's number. */
interface Position {
  id: string;
  n: number;
}

type Listener = (change: RouteChange, revision: string) => void;

interface Audience {
  onChange: Listener;
  signal: AbortSignal;
}

type RawApp = [app: string, spec: string, records: string[], trial: string];
type RawRoutes = [id: string, n: string, ...apps: RawApp[]];

const retryMs = 100;
/** Changes come in twos and threes; to read each by itself would take the CPU from the wake that they belong to, which takes about so long. Milliseconds. */
const gatherMs = 25;

export class Routes {
  readonly #door: RedisDoor;
  /** Apps that were ever delivered from here: after a reload, those that are no more are told as removed. */
  readonly #delivered = new Set<string>();
  readonly #specs: SpecReader;

  constructor(door: RedisDoor, specs: SpecReader) {
    this.#door = door;
    this.#specs = specs;
  }

  /** All routes, and the revision from which `follow` tells what came later. */
  async load(): Promise<{ revision: string; routes: Route[] }> {
    const { position, changes } = await this.#read([]);
    const routes = changes.flatMap((change) => (change.kind === 'set' ? [change.route] : []));
    for (const { app } of routes) this.#delivered.add(app);
    return { revision: position.id, routes };
  }

  /**
   * Tells every change of a route after `revision`, until `signal` is aborted; then resolves. Changes that come quickly
   * one after another may be told as one; what is told is never older than what was told before. When nothing sure can
   * be said (the connection was lost, the feed was trimmed, Redis came back with other data) all routes are told again.
   */
  async follow(revision: string, onChange: Listener, signal: AbortSignal): Promise<void> {
    const follower = new StreamFollower(this.#door.redis, keys.routeFeed);
    follower.start((err) => this.#door.logger.debug({ err }, 'route feed connection'));
    try {
      await untilAborted(signal, () => this.#follow(follower, revision, { onChange, signal }));
    } finally {
      follower.close();
    }
  }

  async #follow(follower: StreamFollower, revision: string, audience: Audience): Promise<void> {
    let position = await this.#find(revision).catch(() => undefined);
    while (!audience.signal.aborted) {
      try {
        position ??= await this.#tellAll(audience);
        position = await this.#tellNext(follower, position, audience);
      } catch (err) {
        if (audience.signal.aborted) return;
        this.#door.logger.debug({ err }, 'following routes again');
        position = undefined;
        await delay(retryMs);
      }
    }
  }

  /** The revision's place in the feed; undefined when the feed no longer has it, so that entries after it may be missing. */
  async #find(revision: string): Promise<Position | undefined> {
    const [entry] = await this.#door.do('routes.follow', (redis) => redis.xrange(keys.routeFeed, revision, revision));
    return entry && { id: revision, n: Number(fieldsOf(entry[1])['n']) };
  }

  async #tellAll(audience: Audience): Promise<Position> {
    const { position, changes } = await this.#read([]);
    const present = new Set(changes.map(appOf));
    const removed = [...this.#delivered].filter((app) => !present.has(app)).map((app): RouteChange => ({ kind: 'removed', app }));
    this.#tell([...removed, ...changes], position, audience);
    return position;
  }

  /** Waits for entries, and tells the present route of each app that they name. Undefined when entries are missing. */
  async #tellNext(follower: StreamFollower, from: Position, audience: Audience): Promise<Position | undefined> {
    let entries = await follower.read(from.id);
    // An app that is new is told at once: who has just deployed it wants to visit it.
    if (entries.length > 0 && entries.every(({ fields }) => this.#delivered.has(fields['app']!))) {
      await delay(gatherMs);
      entries = await follower.read(from.id);
    }
    if (entries.length === 0) return (await this.#wentBack(from)) ? undefined : from;
    const last = lastOf(entries, from);
    if (!last) return undefined;
    const { changes } = await this.#read([...new Set(entries.map((entry) => entry.fields['app']!))]);
    this.#tell(changes, last, audience);
    return last;
  }

  /** Whether Redis came back without entries that were told already, and no connection of ours has noticed. */
  async #wentBack({ n }: Position): Promise<boolean> {
    return Number(await this.#door.do('routes.follow', (redis) => redis.get(keys.routeCounter))) < n;
  }

  #tell(changes: RouteChange[], { id }: Position, { onChange, signal }: Audience): void {
    for (const change of changes) {
      if (signal.aborted) return;
      if (change.kind === 'set') this.#delivered.add(change.route.app);
      else this.#delivered.delete(change.app);
      try {
        onChange(change, id);
      } catch (err) {
        this.#door.logger.error({ err, app: appOf(change) }, 'a route change could not be taken');
      }
    }
  }

  async #read(apps: string[]): Promise<{ position: Position; changes: RouteChange[] }> {
    const names = [keys.apps, keys.appPrefix, keys.instancesPrefix, keys.routeFeed, keys.routeCounter];
    const [id, n, ...raw] = (await this.#door.script('read-routes', names, apps)) as RawRoutes;
    return { position: { id, n: Number(n) }, changes: raw.map((app) => this.#changeOf(app)) };
  }

  #changeOf([app, spec, records, trial]: RawApp): RouteChange {
    if (spec !== '') return { kind: 'set', route: routeOf(this.#specs.read(app, spec), records.map((json) => InstanceRecord.parse(JSON.parse(json))), trialOf(trial)) };
    this.#specs.forget(app);
    return { kind: 'removed', app };
  }
}

function appOf(change: RouteChange): string {
  return change.kind === 'set' ? change.route.app : change.app;
}

const trialOf = (json: string): AppTrial | null => (json === '' ? null : AppTrial.parse(JSON.parse(json)));

/** The position after the entries; undefined when a number is missing between them, or before the first. */
function lastOf(entries: readonly StreamEntry[], from: Position): Position | undefined {
  let { id, n } = from;
  for (const entry of entries) {
    if (Number(entry.fields['n']) !== n + 1) return undefined;
    ({ id } = entry);
    n += 1;
  }
  return { id, n };
}
