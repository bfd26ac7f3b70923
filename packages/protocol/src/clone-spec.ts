import { z } from 'zod';

/** Signals that a program may be told by that it is a clone now. */
const CloneSignal = z.enum(['HUP', 'USR1', 'USR2', 'WINCH', 'CONT']);

/** How a fresh clone is told of what it is, and what it has to do before it gets traffic. docs/clone-safety.md says when which is needed. */
export const CloneSpec = z.strictObject({
  /** Sent to the program's first process. The program has to handle it. */
  signal: CloneSignal.optional(),
  /** Asked with POST, the body being /run/appshot/instance.json; has to answer with a status of 200 to 299. */
  hook: z.string().startsWith('/').max(1000).regex(/^[\x21-\x7e]+$/, 'a path without spaces').optional(),
  /**
   * Milliseconds within which a clone has to be itself and its hook has to have answered; one that is not is ended. Long enough for a machine
   * that is short of processors: only what is broken takes so long, and until then others serve.
   */
  withinMs: z.number().int().min(10).max(60_000).default(10_000),
  /** Clone also programs whose random numbers AppShot cannot renew (statically linked ones): each clone then draws the same. */
  duplicateRandomness: z.boolean().default(false),
});
export type CloneSpec = z.infer<typeof CloneSpec>;
