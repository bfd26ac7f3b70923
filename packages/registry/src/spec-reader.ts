import { AppSpec } from '@appshot/protocol';
import { Commons } from './commons.js';

type Which = 'current' | 'previous';

/** Specifications that are remembered of each kind: those of apps that are woken and visited now. */
const most = 64;

/**
 * Reads apps' specifications from their JSON, and remembers the last of the apps that were read last: they hardly ever change, are read
 * with every change of an instance, and checking one takes a good part of a millisecond in which a visitor may be waiting. What many
 * specifications have in common is kept once, whoever keeps them: most of a thousand app files say little that the others do not.
 */
export class SpecReader {
  /** In the order in which they were read: the first is the one to forget. */
  readonly #known: Record<Which, Map<string, { readonly json: string; readonly spec: AppSpec }>> = { current: new Map(), previous: new Map() };
  readonly #commons = new Commons();

  /** @throws ZodError */
  read(app: string, json: string, which: Which = 'current'): AppSpec {
    const all = this.#known[which];
    const known = all.get(app);
    all.delete(app);
    const now = known?.json === json ? known : { json, spec: this.#commons.share(AppSpec.parse(JSON.parse(json))) };
    all.set(app, now);
    for (const [oldest] of all) {
      if (all.size <= most) break;
      all.delete(oldest);
    }
    return now.spec;
  }

  forget(app: string): void {
    this.#known.current.delete(app);
    this.#known.previous.delete(app);
  }
}
