import { AppSpec } from '@appshot/protocol';

type Which = 'current' | 'previous';

/**
 * Reads apps' specifications from their JSON, and remembers the last of each app: they hardly ever change, are read with
 * every change of an instance, and checking one takes a good part of a millisecond in which a visitor may be waiting.
 */
export class SpecReader {
  readonly #known: Record<Which, Map<string, { readonly json: string; readonly spec: AppSpec }>> = { current: new Map(), previous: new Map() };

  /** @throws ZodError */
  read(app: string, json: string, which: Which = 'current'): AppSpec {
    const known = this.#known[which].get(app);
    if (known?.json === json) return known.spec;
    const spec = AppSpec.parse(JSON.parse(json));
    this.#known[which].set(app, { json, spec });
    return spec;
  }

  forget(app: string): void {
    this.#known.current.delete(app);
    this.#known.previous.delete(app);
  }
}
