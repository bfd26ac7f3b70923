import type { RouteChange } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Logger } from '@appshot/runtime';
import { Site, type SiteOptions } from '../site/site.js';
import type { Exposed } from '../tcp/passage.js';
import type { RouteTable } from './route-table.js';

/** Told with every route what the app exposes. */
type OnRoute = (site: Site, exposed: readonly Exposed[]) => void;

/** Keeps the table of sites as the registry has it: everything at the start, and every change as it is pushed. */
export class RouteFollower {
  readonly #registry: Registry;
  readonly #table: RouteTable<Site>;
  readonly #options: SiteOptions;
  readonly #logger: Logger;
  readonly #onRoute: OnRoute;
  readonly #ended = new AbortController();
  #following: Promise<void> | undefined;

  constructor(registry: Registry, table: RouteTable<Site>, { options, logger, onRoute }: { options: SiteOptions; logger: Logger; onRoute: OnRoute }) {
    this.#registry = registry;
    this.#table = table;
    this.#options = options;
    this.#logger = logger;
    this.#onRoute = onRoute;
  }

  /** Resolves when the table is full. */
  async start(): Promise<void> {
    const { revision, routes } = await this.#registry.routes.load();
    for (const route of routes) this.apply({ kind: 'set', route });
    this.#following = this.#registry.routes
      .follow(revision, (change) => this.apply(change), this.#ended.signal)
      .catch((err: unknown) => this.#logger.error({ err }, 'the route feed ended'));
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#following;
  }

  apply(change: RouteChange): void {
    if (change.kind === 'removed') {
      const site = this.#table.remove(change.app);
      if (site === undefined) return;
      site.remove();
      this.#onRoute(site, []);
      return;
    }
    const { app, hosts } = change.route;
    const site = this.#table.get(app) ?? new Site(app, this.#options);
    this.#table.set(app, hosts, site);
    site.apply(change.route, performance.now());
    this.#onRoute(site, change.route.exposed);
  }
}
