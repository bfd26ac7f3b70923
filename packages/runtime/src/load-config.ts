import type { z } from 'zod';
import { FarmError } from './farm-error.js';

/**
 * Parses settings (an environment, flags) by a service's schema.
 * @throws FarmError `bad-request` that names every problem at once; `facts.problems` lists them.
 */
export function loadConfig<Schema extends z.ZodType>(schema: Schema, env: Record<string, unknown>): z.output<Schema> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({ at: issue.path.join('.') || '(all)', what: issue.message }));
  const lines = problems.map(({ at, what }) => `${at}: ${what}`).join('; ');
  throw new FarmError('bad-request', `the configuration is not valid: ${lines}`, { facts: { problems } });
}
