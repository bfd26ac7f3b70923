import { connect, type Socket } from 'node:net';
import type { Problem } from '../answer/problem.js';
import type { Waiting } from '../path/waiting.js';
import type { Lane } from '../site/lane.js';
import type { Site } from '../site/site.js';
import { joinStreams } from './join-streams.js';

/** What a farm port leads to. */
export interface Exposed {
  readonly farmPort: number;
  /** Where every instance listens, on its own address. */
  readonly port: number;
  /** A connection without a byte either way for so long is closed; 0: never. Milliseconds. */
  readonly silentMs: number;
}

export interface PassageOwner {
  /** An instance refused it before a byte of it was sent: another, or the same one later. */
  refused(passage: Passage, lane: Lane): void;
  /** An instance has one visitor fewer. */
  freed(site: Site): void;
  /** Both sides are closed, or the visitor never got an instance; called once. */
  left(passage: Passage): void;
  readonly connectWithinMs: number;
}

/**
 * A visitor's connection to an exposed port, from being accepted until both sides are closed. Until an instance has taken it
 * nothing of it is consumed: Node reads no more than it buffers, and the rest waits in the kernel.
 */
export class Passage implements Waiting {
  readonly site: Site;
  readonly exposed: Exposed;
  heldUntil = 0;
  readonly #visitor: Socket;
  readonly #owner: PassageOwner;
  #instance: Socket | undefined;
  #over = false;

  constructor(owner: PassageOwner, visitor: Socket, { site, exposed }: { site: Site; exposed: Exposed }) {
    this.#owner = owner;
    this.#visitor = visitor;
    this.site = site;
    this.exposed = exposed;
    visitor.setNoDelay(true);
    // A visitor whose machine vanished is noticed also while nothing is sent to it.
    visitor.setKeepAlive(true, 60_000);
    visitor.on('error', () => visitor.destroy());
    visitor.once('close', this.#onVisitorGone);
  }

  get waited(): boolean {
    return this.heldUntil !== 0;
  }

  send(lane: Lane): void {
    const startedAt = performance.now();
    lane.inFlight += 1;
    const instance = connect({ host: lane.facts.endpoint!.ip, port: this.exposed.port, allowHalfOpen: true, noDelay: true });
    this.#instance = instance;
    const late = setTimeout(() => instance.destroy(new Error('no connection in time')), this.#owner.connectWithinMs);
    const failed = (): void => {
      clearTimeout(late);
      instance.destroy();
      this.#leave(lane, { finished: false });
      if (!this.#over) this.#owner.refused(this, lane);
    };
    instance.once('close', failed);
    instance.on('error', () => instance.destroy());
    instance.once('connect', () => {
      clearTimeout(late);
      instance.off('close', failed);
      lane.answered(performance.now() - startedAt);
      this.#join(instance, lane);
    });
  }

  /** Nothing of it is consumed before an instance has taken it. */
  sendAhead(): void {}

  /** TCP has no words for it. */
  refuse(_problem: Problem): void {
    this.cut();
  }

  cut(): void {
    this.#visitor.resetAndDestroy();
    this.#instance?.resetAndDestroy();
  }

  #join(instance: Socket, lane: Lane): void {
    const { silentMs } = this.exposed;
    this.#visitor.off('close', this.#onVisitorGone);
    if (silentMs > 0) this.#visitor.setTimeout(silentMs, () => this.#visitor.destroy());
    joinStreams(this.#visitor, instance, () => {
      this.#leave(lane, { finished: true });
      this.#end();
    });
  }

  #leave(lane: Lane, { finished }: { finished: boolean }): void {
    if (finished) lane.finished += 1;
    else lane.failed += 1;
    lane.left();
    this.#owner.freed(this.site);
  }

  /** Before an instance has taken it. */
  readonly #onVisitorGone = (): void => {
    this.#end();
    this.#instance?.destroy();
  };

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.left(this);
  }
}
