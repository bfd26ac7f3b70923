import type { IncomingMessage } from 'node:http';
import type { Problem } from '../answer/problem.js';

/** What a request is for. */
export interface Address {
  /** As in the Host field, or in the absolute target, which goes before it (RFC 9112, 3.2.2). */
  readonly host: string;
  /** Path and query, beginning with a slash. */
  readonly path: string;
}

/** First stage: where a request wants to go. */
export function addressOf(request: IncomingMessage): Address | Problem {
  const target = request.url ?? '';
  if (target.charCodeAt(0) === 47) return { host: request.headers.host ?? '', path: target };
  const absolute = /^http:\/\/([^/?#@\s]+)(.*)$/i.exec(target);
  if (absolute === null) return { kind: 'bad-request', because: 'its target is neither a path nor an http URL' };
  const rest = absolute[2]!;
  return { host: absolute[1]!, path: rest.startsWith('/') ? rest : `/${rest}` };
}
