import { instanceEnded, type InstanceEnded } from '@appshot/protocol';
import type { Bus } from '@appshot/runtime';

const keepAtMost = 10_000;

/** Tells the farm that an instance ended; what ends while NATS is away is told when it is back. */
export class EndedNotices {
  readonly #bus: Bus;
  #waiting: InstanceEnded[] = [];
  #stopListening: (() => void) | undefined;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  start(): void {
    this.#stopListening = this.#bus.onStatus((status) => { if (status === 'connected') this.#tell(); });
  }

  close(): void {
    this.#stopListening?.();
  }

  add(notice: InstanceEnded): void {
    this.#waiting = [...this.#waiting.slice(-keepAtMost), notice];
    if (this.#bus.connected) this.#tell();
  }

  #tell(): void {
    const notices = this.#waiting;
    this.#waiting = [];
    for (const notice of notices) this.#bus.publish(instanceEnded, notice);
  }
}
