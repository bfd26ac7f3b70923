import { queues } from '@appshot/protocol';
import type { Logger } from '@appshot/runtime';
import { Queue, Worker, type ConnectionOptions, type Job } from 'bullmq';
import type { z } from 'zod';
import { redisKeys } from '../redis-keys.js';

export type SleepJob = z.output<(typeof queues)['sleep']['job']>;
export type TemplateJob = z.output<(typeof queues)['template']['job']>;
export type RetireJob = z.output<(typeof queues)['retire']['job']>;

/** What is done for each kind of job. Jobs may run twice, and after everything has changed. */
export interface JobHandlers {
  sleep(job: SleepJob): Promise<void>;
  template(job: TemplateJob): Promise<void>;
  retire(job: RetireJob): Promise<void>;
  reconcile(): Promise<void>;
}

type Kind = keyof typeof queues;

/** Jobs of each kind that one scheduler does at a time. */
const concurrency: Record<Kind, number> = { sleep: 8, template: 4, retire: 16, reconcile: 1 };
/** How often the repeated job is made sure of, milliseconds: a Redis that lost its data has lost it too. */
const repeatAgainMs = 30_000;
/** A job that was just queued is not queued again for this long, milliseconds; its fixed id would refuse it anyway. */
const queuedForMs = 2_000;

/**
 * The operations that nobody waits for, through BullMQ: they survive the scheduler that queued them and are done by one.
 * Ids are fixed (`sleep-AID-EPOCH`), so that the same work is queued once; BullMQ does not allow `:` in them.
 */
export class JobDesk {
  readonly #connection: ConnectionOptions;
  readonly #logger: Logger;
  readonly #queues = new Map<Kind, Queue>();
  readonly #workers: Worker[] = [];
  readonly #queued = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redisUrl: string, logger: Logger) {
    // Workers block on Redis and wait for it without end.
    this.#connection = { url: redisUrl, maxRetriesPerRequest: null, retryStrategy: () => 250 };
    this.#logger = logger;
  }

  async start(handlers: JobHandlers, reconcileEveryMs: number): Promise<void> {
    for (const kind of Object.keys(queues) as Kind[]) {
      const queue = new Queue(queues[kind].name, { connection: this.#connection, prefix: redisKeys.jobs });
      queue.on('error', (err) => this.#logger.debug({ err, kind }, 'job queue'));
      this.#queues.set(kind, queue);
      this.#workers.push(this.#worker(kind, handlers));
    }
    const repeat = async (): Promise<void> => void await this.#queue('reconcile').upsertJobScheduler('reconcile', { every: reconcileEveryMs }, { name: 'reconcile', data: {}, opts: { removeOnComplete: true, removeOnFail: true } });
    await repeat();
    this.#timer = setInterval(() => void repeat().catch((err: unknown) => this.#logger.debug({ err }, 'the repeated job could not be made sure of')), repeatAgainMs);
  }

  sleep(job: SleepJob): void {
    this.#add('sleep', `sleep-${job.aid}-${job.epoch}`, job);
  }

  template(job: TemplateJob, version: number): void {
    this.#add('template', `template-${job.app}-${version}`, job);
  }

  retire(job: RetireJob): void {
    this.#add('retire', `retire-${job.aid}`, job);
  }

  /** Waits for the jobs that this scheduler is at, then closes its connections. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#workers.map((worker) => worker.close()));
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #queue(kind: Kind): Queue {
    const queue = this.#queues.get(kind);
    if (queue === undefined) throw new Error('the job desk has not been started');
    return queue;
  }

  /** Not waited for: while Redis is away this would hang, and the next look queues it again. */
  #add(kind: Exclude<Kind, 'reconcile'>, jobId: string, job: SleepJob | TemplateJob | RetireJob): void {
    const now = Date.now();
    if ((this.#queued.get(jobId) ?? 0) > now) return;
    this.#queued.set(jobId, now + queuedForMs);
    if (this.#queued.size > 1_000) for (const [id, until] of this.#queued) if (until <= now) this.#queued.delete(id);
    this.#queue(kind).add(kind, job, {
      // Removed in either end: a job that stayed would keep its id from being used again.
      jobId, attempts: 3, backoff: { type: 'exponential', delay: 500 }, removeOnComplete: true, removeOnFail: true,
    }).catch((err: unknown) => this.#logger.debug({ err, jobId }, 'a job could not be queued'));
  }

  #worker(kind: Kind, handlers: JobHandlers): Worker {
    const worker = new Worker(queues[kind].name, (job) => handle(kind, job, handlers), {
      connection: this.#connection, prefix: redisKeys.jobs, concurrency: concurrency[kind],
      // A scheduler that was killed holds its jobs this long at most; the default is half a minute.
      lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 5,
    });
    worker.on('error', (err) => this.#logger.debug({ err, kind }, 'job worker'));
    worker.on('failed', (job, err) => this.#logger.warn({ err, kind, jobId: job?.id, attempts: job?.attemptsMade }, 'a job failed'));
    return worker;
  }
}

async function handle(kind: Kind, job: Job, handlers: JobHandlers): Promise<void> {
  switch (kind) {
    case 'sleep': return handlers.sleep(queues.sleep.job.parse(job.data));
    case 'template': return handlers.template(queues.template.job.parse(job.data));
    case 'retire': return handlers.retire(queues.retire.job.parse(job.data));
    case 'reconcile': return handlers.reconcile();
  }
}
