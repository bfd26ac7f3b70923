/**
 * Which app a host name belongs to: exact names first, then wildcards, which stand for exactly one label
 * (`*.example.org` has `a.example.org`, not `a.b.example.org`). In memory; `find` is on the path of every request.
 */
export class RouteTable<T> {
  readonly #byApp = new Map<string, { hosts: readonly string[]; value: T }>();
  readonly #exact = new Map<string, { app: string; value: T }>();
  readonly #wildcard = new Map<string, { app: string; value: T }>();

  /** Sets all host names of an app. One that another app has goes to the newer: a name moves by two changes, in either order. */
  set(app: string, hosts: readonly string[], value: T): void {
    this.#forgetHosts(app);
    this.#byApp.set(app, { hosts, value });
    for (const host of hosts) {
      if (host.startsWith('*.')) this.#wildcard.set(host.slice(2), { app, value });
      else this.#exact.set(host, { app, value });
    }
  }

  /** Returns what the app had. */
  remove(app: string): T | undefined {
    const entry = this.#byApp.get(app);
    this.#forgetHosts(app);
    this.#byApp.delete(app);
    return entry?.value;
  }

  get(app: string): T | undefined {
    return this.#byApp.get(app)?.value;
  }

  *values(): Generator<T> {
    for (const { value } of this.#byApp.values()) yield value;
  }

  /** `host` in lower case, without port. */
  find(host: string): T | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact.value;
    if (this.#wildcard.size === 0) return undefined;
    const dot = host.indexOf('.');
    return dot > 0 ? this.#wildcard.get(host.slice(dot + 1))?.value : undefined;
  }

  #forgetHosts(app: string): void {
    for (const host of this.#byApp.get(app)?.hosts ?? []) {
      const [names, name] = host.startsWith('*.') ? [this.#wildcard, host.slice(2)] as const : [this.#exact, host] as const;
      if (names.get(name)?.app === app) names.delete(name);
    }
  }
}
