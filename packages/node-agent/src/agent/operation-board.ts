import type { Epoch } from '@appshot/protocol';

export interface OperationKey {
  readonly aid: string;
  readonly verb: string;
  readonly epoch: Epoch;
}

interface Entry {
  readonly epoch: Epoch;
  readonly answer: Promise<unknown>;
}

/**
 * Makes operations safe to be sent twice, and runs those of one instance one after the other.
 * A copy of an operation joins the one that runs, or gets the answer that it gave; a failed one may be tried again.
 */
export class OperationBoard {
  /** The last operation of each AID and verb. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  /** The end of the last operation of each AID that has one under way. */
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Operations under way. */
  get running(): number {
    return this.#tails.size;
  }

  /**
   * `urgent` operations (stop, cancel) do not wait for what is under way: they are there to end it. With `keepAnswer: false`
   * a copy that comes after the answer is an operation of its own.
   */
  run<T>(key: OperationKey, work: () => Promise<T>, { urgent = false, keepAnswer = true } = {}): Promise<T> {
    const known = this.#entries.get(key.aid)?.get(key.verb);
    if (known !== undefined && known.epoch === key.epoch) return known.answer as Promise<T>;
    const before = urgent ? undefined : this.#tails.get(key.aid);
    const answer = before === undefined ? work() : before.then(work, work);
    this.#remember(key, answer, keepAnswer);
    return answer;
  }

  /** Lets the memory of an instance's answers go. */
  forget(aid: string): void {
    this.#entries.delete(aid);
  }

  #remember(key: OperationKey, answer: Promise<unknown>, keepAnswer: boolean): void {
    const ofAid = this.#entries.get(key.aid) ?? new Map<string, Entry>();
    const entry = { epoch: key.epoch, answer };
    ofAid.set(key.verb, entry);
    this.#entries.set(key.aid, ofAid);
    const others = this.#tails.get(key.aid);
    const tail = Promise.allSettled([answer, others]);
    this.#tails.set(key.aid, tail);
    void tail.then(() => { if (this.#tails.get(key.aid) === tail) this.#tails.delete(key.aid); });
    const forget = (): void => { if (ofAid.get(key.verb) === entry) ofAid.delete(key.verb); };
    answer.then(keepAnswer ? undefined : forget, forget);
  }
}
