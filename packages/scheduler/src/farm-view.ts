import type { AppName, AppRecord, InstanceRecord } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Logger } from '@appshot/runtime';

/** What the registry says of one app. `record` is null while an app that was removed still has instances. */
export interface AppView {
  readonly record: AppRecord | null;
  readonly instances: readonly InstanceRecord[];
}

const nothing: AppView = { record: null, instances: [] };
/**
 * The feed tells everything, again after a loss too. In case that it does not all the same, everything is read again this often, ms:
 * seldom, for a thousand sites are a tenth of a second, and some megabytes of garbage.
 */
const refreshAllMs = 300_000;
const retryMs = 1_000;

/**
 * Every app and instance in memory, kept by the route feed. It may be a moment old: whoever acts on it acts through guarded
 * transitions.
 */
export class FarmView {
  readonly #registry: Registry;
  readonly #logger: Logger;
  readonly #apps = new Map<AppName, AppView>();
  readonly #reading = new Map<AppName, { again: boolean; done: Promise<void> }>();
  /** When each app was last read by itself, on a clock that counts readings. */
  readonly #readAt = new Map<AppName, number>();
  #clock = 0;
  readonly #listeners = new Set<(app: AppName) => void>();
  readonly #stop = new AbortController();
  #following: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(registry: Registry, logger: Logger) {
    this.#registry = registry;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const { revision } = await this.#registry.routes.load();
    await this.refreshAll();
    this.#following = this.#registry.routes.follow(revision, (change) => {
      const app = change.kind === 'set' ? change.route.app : change.app;
      this.#tell(app);
      void this.refresh(app);
    }, this.#stop.signal);
    this.#timer = setInterval(() => void this.refreshAll().catch((err: unknown) => this.#logger.debug({ err }, 'the farm could not be read')), refreshAllMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#following;
  }

  of(app: AppName): AppView {
    return this.#apps.get(app) ?? nothing;
  }

  names(): AppName[] {
    return [...this.#apps.keys()];
  }

  instances(): InstanceRecord[] {
    return [...this.#apps.values()].flatMap((app) => app.instances);
  }

  /** Reads one app again; calls that come meanwhile share the next reading. */
  refresh(app: AppName): Promise<void> {
    const reading = this.#reading.get(app);
    if (reading !== undefined) {
      reading.again = true;
      return reading.done;
    }
    const state = { again: true, done: Promise.resolve() };
    this.#reading.set(app, state);
    return state.done = this.#readWhile(app, state);
  }

  /** Told whenever something about an app has changed, before it has been read. */
  onChange(listener: (app: AppName) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when something about the app changes, or after the time. */
  waitForChange(app: AppName, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const timer = setTimeout(end, withinMs);
      const stop = this.onChange((changed) => { if (changed === app) end(); });
    });
  }

  async refreshAll(): Promise<void> {
    const begun = ++this.#clock;
    const records = await this.#registry.apps.list();
    const instances = await this.#registry.instances.list();
    const views = new Map<AppName, { record: AppRecord | null; instances: InstanceRecord[] }>();
    for (const name of this.#apps.keys()) views.set(name, { record: null, instances: [] });
    for (const record of records) views.set(record.spec.name, { record, instances: [] });
    for (const instance of instances) {
      const view = views.get(instance.app) ?? { record: null, instances: [] };
      view.instances.push(instance);
      views.set(instance.app, view);
    }
    for (const [name, view] of views) {
      // One that was read by itself since, or is being read, is newer than this.
      if (!this.#reading.has(name) && (this.#readAt.get(name) ?? 0) < begun) this.#set(name, view);
    }
  }

  async #readWhile(app: AppName, state: { again: boolean }): Promise<void> {
    try {
      while (state.again) {
        state.again = false;
        const [record, instances] = await Promise.all([this.#registry.apps.get(app), this.#registry.instances.ofApp(app)]);
        this.#readAt.set(app, ++this.#clock);
        this.#set(app, { record: record ?? null, instances });
      }
    } catch (err) {
      this.#logger.debug({ err, app }, 'an app could not be read; it is read again');
      setTimeout(() => { if (!this.#stop.signal.aborted) void this.refresh(app); }, retryMs).unref();
    } finally {
      this.#reading.delete(app);
      this.#tell(app);
    }
  }

  #set(app: AppName, view: AppView): void {
    if (view.record === null && view.instances.length === 0) this.#apps.delete(app);
    else this.#apps.set(app, view);
  }

  #tell(app: AppName): void {
    for (const listener of [...this.#listeners]) listener(app);
  }
}
