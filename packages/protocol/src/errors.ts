import { z } from 'zod';

/**
 * Everything that can go wrong, as a closed set. `packages/runtime` maps each to an HTTP status and an exit code.
 */
export const ErrorCode = z.enum([
  'bad-request',          // the caller's input is wrong; the message says where
  'app-file-invalid',     // an app file was refused; facts.problems lists line, what, allowed
  'host-taken',           // a host name belongs to another app
  'not-found',            // no such app, instance, image or node
  'illegal-transition',   // the instance is not in a state that allows this
  'stale-epoch',          // somebody else has changed the instance since
  'unsupported-state',    // the application holds something that cannot be saved; facts.resources names it
  'command-not-found',    // the app's command does not exist or may not be run
  'not-ready-in-time',    // the app did not answer on its port within its time
  'clone-unconfirmed',    // a clone was not itself within its time, and was ended; the message names what it did not do
  'exited-early',         // the app ended before it was ready; facts has the status and the last lines it printed
  'image-invalid',        // truncated, altered, foreign or newer image
  'environment-mismatch', // kernel, CPU or a mapped file differs from when the image was made
  'no-room',              // memory or another limit of the node does not allow it
  'disk-full',
  'no-address',           // the IP pool is exhausted
  'port-in-use',
  'unavailable',          // Redis, NATS, the scheduler or an agent cannot be reached now
  'timeout',
  'not-on-one-machine',   // the verb needs more than one node
  'internal',
]);
export type ErrorCode = z.infer<typeof ErrorCode>;

/** An error as it crosses a process boundary. `message` says what happened, to which thing, and what to do. */
export const WireError = z.object({
  code: ErrorCode,
  message: z.string(),
  facts: z.record(z.string(), z.unknown()).optional(),
});
export type WireError = z.infer<typeof WireError>;
