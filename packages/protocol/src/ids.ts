import { z } from 'zod';

/**
 * Application id: the one definitive reference to a running or sleeping instance and all of its processes.
 * Fixed width (an `a` and 13 lower-case hex digits), so that AIDs sort in the order in which they were given.
 */
export const Aid = z.string().regex(/^a[0-9a-f]{13}$/, 'an AID is "a" and 13 hex digits');
export type Aid = z.infer<typeof Aid>;

/** Name of an app: a DNS label, for it becomes a host name and part of file names. */
export const AppName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and "-", 1 to 63 characters');
export type AppName = z.infer<typeof AppName>;

/** Name of a node, of a gateway or of a scheduler: one NATS subject token. */
export const RoleId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, "_" and "-", 1 to 64 characters');
export type RoleId = z.infer<typeof RoleId>;

/** Milliseconds since 1970-01-01 UTC. */
export const Millis = z.number().nonnegative();
export type Millis = z.infer<typeof Millis>;

/** Fencing token of an instance: grows with every state transition; an operation that carries an older one is refused. */
export const Epoch = z.number().int().nonnegative();
export type Epoch = z.infer<typeof Epoch>;
