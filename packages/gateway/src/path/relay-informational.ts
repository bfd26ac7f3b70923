import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Interim responses (102, 103) on their way to the visitor; one of HTTP/1.0 knows none. 100 never comes from an instance:
 * the gateway meets expectations itself. A hint that Node finds malformed is dropped: it is only a hint.
 */
export function relayInformational(response: ServerResponse, request: IncomingMessage, { status, raw }: { status: number; raw: readonly Buffer[] }): void {
  if (request.httpVersionMinor === 0 || response.headersSent) return;
  if (status === 102) response.writeProcessing();
  if (status !== 103) return;
  const hints: Record<string, string[]> = {};
  for (let i = 0; i < raw.length; i += 2) (hints[raw[i]!.toString('latin1').toLowerCase()] ??= []).push(raw[i + 1]!.toString('latin1'));
  try {
    response.writeEarlyHints(hints);
  } catch {
    // ERR_INVALID_ARG_VALUE: a Link that Node does not accept.
  }
}
