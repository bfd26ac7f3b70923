import { Envelope } from '@appshot/protocol';
import type { z } from 'zod';
import { FarmError } from '../farm-error.js';

/** @throws FarmError with the given code that says what of `what` does not fit. */
export function parseAs<S extends z.ZodType>(schema: S, value: unknown, code: 'bad-request' | 'internal', what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(all)'}: ${issue.message}`);
  throw new FarmError(code, `${what} is not valid: ${problems.join('; ')}`, { facts: { problems } });
}

/** @throws FarmError `bad-request` */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FarmError('bad-request', `${what} is not JSON`, { cause });
  }
}

export function okEnvelope(value: unknown): string {
  return JSON.stringify({ ok: true, value } satisfies Envelope);
}

export function errorEnvelope(error: FarmError): string {
  return JSON.stringify({ ok: false, error: error.toWire() } satisfies Envelope);
}

/** The value of a reply. @throws the FarmError that the reply carries, or `internal` when it is no envelope. */
export function openEnvelope(text: string, subject: string): unknown {
  const envelope = parseAs(Envelope, parseJson(text, `the reply to ${subject}`), 'internal', `the reply to ${subject}`);
  if (!envelope.ok) throw FarmError.fromWire(envelope.error);
  return envelope.value;
}
