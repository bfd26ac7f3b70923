/** What is known of an attempt that failed. */
export interface Failure {
  /** The error's code: of the system, of undici, or of Node's HTTP. */
  readonly code: string;
  readonly message: string;
  /** A byte of the request may have left. */
  readonly sent: boolean;
  /** A byte of the response has been passed on. */
  readonly replied: boolean;
  /** The connection had carried a request before. */
  readonly reused: boolean;
  /** The request may be sent a second time. */
  readonly replayable: boolean;
  /** It was already sent a second time. */
  readonly resent: boolean;
  /** How long the instance has refused connections, milliseconds. */
  readonly refusingForMs: number;
}

export type Verdict =
  /** Somewhere else or once more. `blame`: the instance rests a while before it is tried again. */
  | { readonly kind: 'retry'; readonly blame: boolean }
  | { readonly kind: 'refused' | 'broken' | 'late' | 'invalid'; readonly because: string }
  /** The response has begun; all that can be done is to let the visitor see that it is not whole. */
  | { readonly kind: 'cut' };

const connectionLost: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * What becomes of a request whose instance failed it. A request that never left is always tried again, for as long as an
 * instance may refuse: sites sleep, wake and shrink, and nobody should see it. One that may have arrived is only repeated
 * when that does no harm, once; on a connection that was kept alive the instance most likely just closed it.
 */
export function judgeFailure(failure: Failure, { refusedForMs }: { refusedForMs: number }): Verdict {
  const { code, message } = failure;
  if (failure.replied) return { kind: 'cut' };
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return { kind: 'invalid', because: message };
  if (!failure.sent) {
    return failure.refusingForMs <= refusedForMs ? { kind: 'retry', blame: true } : { kind: 'refused', because: `it accepts no connection (${code})` };
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return { kind: 'late', because: message };
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') return { kind: 'invalid', because: 'its body is not as long as its Content-Length says' };
  if (connectionLost.has(code) && failure.replayable && !failure.resent) return { kind: 'retry', blame: !failure.reused };
  return { kind: 'broken', because: connectionLost.has(code) ? 'it closed the connection before its response began' : `its response was not valid (${code})` };
}
