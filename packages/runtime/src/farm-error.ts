import { ErrorCode, type WireError } from '@appshot/protocol';

export interface FarmErrorOptions {
  /** What a program can act on: names, numbers, lists. Must survive JSON. */
  facts?: Record<string, unknown> | undefined;
  cause?: unknown;
}

/** Every error that AppShot raises on purpose: a closed code, a message for people, facts for programs, and its cause. */
export class FarmError extends Error {
  override readonly name = 'FarmError';
  readonly code: ErrorCode;
  declare readonly facts?: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: FarmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.facts !== undefined) this.facts = options.facts;
  }

  /** The error as it crosses a process boundary; the cause stays at home. */
  toWire(): WireError {
    return { code: this.code, message: this.message, ...(this.facts && { facts: this.facts }) };
  }

  static fromWire(wire: WireError): FarmError {
    return new FarmError(wire.code, wire.message, { facts: wire.facts });
  }

  /** Anything thrown, as a FarmError: itself, one coded elsewhere (the native binding), a system error, or `internal`. */
  static from(thrown: unknown): FarmError {
    if (thrown instanceof FarmError) return thrown;
    if (!(thrown instanceof Error)) return new FarmError('internal', String(thrown), { cause: thrown });
    const { code, facts } = thrown as { code?: unknown; facts?: unknown };
    const known = ErrorCode.safeParse(code);
    return new FarmError(known.success ? known.data : codeOfSystemError(code), thrown.message, {
      cause: thrown,
      facts: typeof facts === 'object' && facts !== null ? (facts as Record<string, unknown>) : undefined,
    });
  }
}

function codeOfSystemError(code: unknown): ErrorCode {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'disk-full';
    case 'EADDRINUSE':
      return 'port-in-use';
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return 'unavailable';
    case 'ETIMEDOUT':
      return 'timeout';
    case 'ENOMEM':
      return 'no-room';
    default:
      return 'internal';
  }
}
