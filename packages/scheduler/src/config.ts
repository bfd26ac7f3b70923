import { randomBytes } from 'node:crypto';
import { RoleId } from '@appshot/protocol';
import { z } from 'zod';

const ms = (fallback: number) => z.coerce.number().int().min(1).max(86_400_000).default(fallback);

/** Everything that can be set about a scheduler. Times are milliseconds. */
export const SchedulerConfig = z.strictObject({
  /** Name of this scheduler in the farm; by default new with every start. */
  id: RoleId.default(() => `scheduler-${randomBytes(4).toString('hex')}`),
  redisUrl: z.url(),
  natsUrl: z.url(),
  /** Where the control API listens, HOST:PORT; port 0 takes a free one. It has no login: keep it on a loopback or private address. */
  api: z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]]+):\d{1,5}$/, 'HOST:PORT').default('127.0.0.1:8081'),
  /** Further names under which the control API may be called, separated by commas; addresses, localhost and this machine's name always may. */
  apiHosts: z.string().default('').transform((text) => text.split(',').map((name) => name.trim().toLowerCase()).filter((name) => name !== '')),

  /** Farm ports that are given to apps which expose a port and name none; first and last. */
  exposeFirst: z.coerce.number().int().min(1).max(65_535).default(21_000),
  exposeLast: z.coerce.number().int().min(1).max(65_535).default(21_999),

  /** How often every app is looked at; edges in its traffic are looked at at once. */
  tickMs: ms(200),
  /** How often nodes are compared with the registry. */
  reconcileEveryMs: ms(2_000),
  /** How long a gateway's wake is worked on before it is answered with "try again". Below the 60 s that a gateway waits. */
  wakeWithinMs: ms(50_000),
  /**
   * How long an instance has to have been ready for what its program does once when it has started to be behind it; a template that was
   * made of it before is made once more then. V8 collects garbage after eight quiet seconds; else each clone would (ADR 0120).
   */
  templateRestMs: ms(12_000),
  /** Requests at most, and for how long, that a program is exercised with before its template is made; 0: none (ADR 0190, 0210). */
  exerciseRequests: z.coerce.number().int().min(0).max(100_000).default(2_000),
  exerciseForMs: ms(1_000),
  /** How long gateways get to finish the requests of an instance that goes for good. */
  retireDrainMs: ms(30_000),
  /** The same for one that goes to sleep because it is idle: it has none, or is not idle after all. */
  sleepDrainMs: ms(2_000),
  /** The same for one that is put to sleep by hand. */
  askedSleepDrainMs: ms(10_000),
});
export type SchedulerConfig = z.output<typeof SchedulerConfig>;
