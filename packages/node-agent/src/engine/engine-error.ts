import { ErrorCode } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';

/** An error of the engine: a code of the protocol, and facts where there are some (`lastLines`, `status`, `resources`). */
export class EngineError extends FarmError {
  /** From what the native binding rejects with. */
  static of(thrown: unknown): EngineError {
    const { code, message, factsJson } = thrown as { code?: unknown; message?: unknown; factsJson?: unknown };
    const known = ErrorCode.safeParse(code);
    return new EngineError(known.success ? known.data : 'internal', String(message ?? thrown), {
      cause: thrown,
      facts: typeof factsJson === 'string' ? (JSON.parse(factsJson) as Record<string, unknown>) : undefined,
    });
  }
}
