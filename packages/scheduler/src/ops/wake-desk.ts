import { setTimeout as delay } from 'node:timers/promises';
import type { AppName, AppRecord, InstanceRecord, WakeReply } from '@appshot/protocol';
import type { WakeClaim } from '@appshot/registry';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { beginInstance } from './begin-instance.js';
import { bringUp, type BroughtUp } from './bring-up.js';
import { helpAlong } from './help-along.js';
import { makeRoomForRestore } from './place-instance.js';

type Refusal = Extract<WakeReply, { kind: 'refused' }>;

/** What one wake has learnt so far. */
interface Attempt {
  readonly app: AppName;
  readonly because: string;
  readonly askedAt: number;
  readonly deadline: number;
  /** Why it has to be a cold launch: an image of the app turned out to be broken. */
  coldBecause: string | null;
  failures: number;
}

/** Failures of one wake after which its visitor is told; a first one may have been an agent that was just dying. */
const triesPerWake = 2;

/**
 * Answers gateways whose visitors wait. All who wait for one app share one wake; across schedulers the registry's claim sees
 * to it that one acts and the others wait for the outcome.
 */
export class WakeDesk {
  readonly #farm: Farm;
  #closed = false;

  constructor(farm: Farm) {
    this.#farm = farm;
  }

  /** Ends what waits: gateways ask another scheduler, or the next. Steps that are under way are finished. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when an instance of the app is ready, or says why none will be. */
  wake(app: AppName, because = 'a visitor came'): Promise<WakeReply> {
    return this.#farm.underway.join(`wake:${app}`, async () => {
      const askedAt = performance.now();
      const reply = await this.#wake({ app, because, askedAt, deadline: askedAt + this.#farm.config.wakeWithinMs, coldBecause: null, failures: 0 });
      this.#measure(app, reply, askedAt);
      return reply;
    });
  }

  async #wake(attempt: Attempt): Promise<WakeReply> {
    while (performance.now() < attempt.deadline) {
      if (this.#closed) throw new FarmError('unavailable', 'this scheduler is ending; ask again');
      try {
        const reply = await this.#step(attempt);
        if (reply !== null) return reply;
      } catch (thrown) {
        const error = FarmError.from(thrown);
        // Redis or NATS is away for a moment: the visitor is held, not refused.
        if (error.code !== 'unavailable') return this.#refuse(attempt, error);
        this.#farm.logger.warn({ err: error, app: attempt.app }, 'a wake waits for the farm');
        await delay(200);
      }
    }
    return this.#refuse(attempt, new FarmError('timeout', `${attempt.app} is still starting`));
  }

  /** One look at the app and what follows from it; null to look again. */
  async #step(attempt: Attempt): Promise<WakeReply | null> {
    const claim: WakeClaim = await this.#farm.registry.instances.claimWake(attempt.app, this.#farm.now(), attempt.because);
    switch (claim.kind) {
      case 'ready':
        return readyReply(claim.record, 'already', {});
      case 'claimed':
        return claim.record.state === 'ready' ? this.#drainCancelled(attempt, claim.record) : this.#restore(attempt, claim.record);
      case 'pending':
        // Its node has decided: what is left is to record it, and nobody else has begun to.
        if (claim.record.state === 'restoring' && claim.record.claimedBy !== undefined) return this.#outcome(attempt, claim.record, await bringUp(this.#farm, claim.record, attempt));
        await helpAlong(this.#farm, claim.record, attempt);
        return null;
      case 'none':
        return this.#startAnother(attempt);
    }
  }

  #drainCancelled(attempt: Attempt, record: InstanceRecord): WakeReply {
    const phases = { decide: performance.now() - attempt.askedAt };
    this.#farm.events.ofInstance(record, { type: 'drain-cancelled', because: attempt.because, phases });
    return readyReply(record, 'already', phases);
  }

  async #restore(attempt: Attempt, record: InstanceRecord): Promise<WakeReply | null> {
    const spec = this.#farm.view.of(attempt.app).record?.spec;
    try {
      // What is parked has its memory already.
      if (spec !== undefined && record.state === 'restoring') await makeRoomForRestore(this.#farm, spec, record.node);
    } catch (error) {
      await this.#farm.registry.instances.transition({ aid: record.aid, from: ['restoring'], to: 'asleep', epoch: record.epoch, reason: 'no room to wake it', now: this.#farm.now() });
      throw error;
    }
    return this.#outcome(attempt, record, await bringUp(this.#farm, record, attempt));
  }

  /** There is nothing to wake: a clone of the template if there is one, or a launch. */
  async #startAnother(attempt: Attempt): Promise<WakeReply | null> {
    const app = this.#farm.view.of(attempt.app).record ?? (await this.#farm.registry.apps.get(attempt.app));
    if (app === undefined) return refused(`there is no app "${attempt.app}"`, 60);
    const notes = this.#farm.memory.of(attempt.app, this.#farm.now());
    const waitMs = notes.startNotBefore - this.#farm.now();
    if (waitMs > 0 && attempt.failures === 0) return refused(`${attempt.app} could not be started: ${notes.startError ?? 'it failed'}`, Math.ceil(waitMs / 1000));
    const from = attempt.coldBecause === null && app.template !== null ? 'template' : 'command';
    const because = attempt.coldBecause === null ? attempt.because : `${attempt.because}; launched anew, for ${attempt.coldBecause}`;
    let record: InstanceRecord;
    try {
      record = await beginInstance(this.#farm, app, from, { because, onlyFirst: true });
    } catch (thrown) {
      const error = FarmError.from(thrown);
      // Another scheduler has begun one.
      if (error.code === 'illegal-transition') return null;
      if (from === 'command' || (error.code !== 'image-invalid' && error.code !== 'not-found')) throw error;
      return this.#withoutTemplate(attempt, app, error);
    }
    const brought = await bringUp(this.#farm, record, { ...attempt, because });
    if (brought.kind === 'failed' && brought.how === 'clone' && brought.imageUnusable) return this.#withoutTemplate(attempt, app, brought.error);
    return this.#outcome(attempt, record, brought);
  }

  async #withoutTemplate(attempt: Attempt, app: AppRecord, error: FarmError): Promise<null> {
    await this.#farm.registry.apps.setTemplate(app.spec.name, app.version, null);
    await this.#farm.view.refresh(app.spec.name);
    attempt.coldBecause = `its template cannot be used: ${error.message}`;
    return null;
  }

  #outcome(attempt: Attempt, record: InstanceRecord, brought: BroughtUp): WakeReply | null {
    if (brought.kind === 'up') return readyReply(brought.record, brought.how, brought.phases);
    if (brought.kind === 'overtaken') return null;
    if (brought.imageUnusable) {
      attempt.coldBecause = `the image of ${record.aid} cannot be used: ${brought.error.message}`;
      return null;
    }
    attempt.failures += 1;
    const worthAnother = brought.how !== 'launch' && attempt.failures < triesPerWake;
    if (worthAnother || brought.error.code === 'unavailable') return null;
    return this.#refuse(attempt, brought.error);
  }

  #refuse(attempt: Attempt, error: FarmError): Refusal {
    const notes = this.#farm.memory.of(attempt.app, this.#farm.now());
    const retryAfterS = error.code === 'no-room' || error.code === 'no-address' ? 5 : Math.max(1, Math.ceil((notes.startNotBefore - this.#farm.now()) / 1000));
    this.#farm.events.ofApp(attempt.app, { type: 'refused', because: error.message, facts: { code: error.code, retryAfterS } });
    return refused(error.message, retryAfterS);
  }

  #measure(app: AppName, reply: WakeReply, askedAt: number): void {
    const how = reply.kind === 'ready' ? reply.how : 'refused';
    // A name that is no app's would be one more series for whoever can send to NATS.
    if (this.#farm.view.of(app).record !== null) this.#farm.meters.wakes.inc({ app, how });
    this.#farm.meters.wakeSeconds.observe({ how }, (performance.now() - askedAt) / 1000);
  }
}

function readyReply(record: InstanceRecord, how: Extract<WakeReply, { kind: 'ready' }>['how'], phases: Record<string, number>): WakeReply {
  if (record.endpoint === undefined) throw new FarmError('internal', `${record.aid} is ready and has no endpoint`);
  return { kind: 'ready', aid: record.aid, epoch: record.epoch, endpoint: record.endpoint, how, phases };
}

const refused = (because: string, retryAfterS: number): Refusal => ({ kind: 'refused', because, retryAfterS });
