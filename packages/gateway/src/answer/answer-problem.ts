import type { ServerResponse } from 'node:http';
import type { Problem } from './problem.js';
import { problemAnswer } from './problem-answer.js';

/**
 * The gateway's own answer to a visitor. `X-AppShot-Problem` names the kind, so that programs, tests and people can tell
 * it from the site's own errors. Does nothing when a response has begun or the visitor is gone.
 */
export function answerProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent || response.destroyed) return;
  const { status, text, retryAfterS } = problemAnswer(problem);
  const body = Buffer.from(`${status} ${text}\n`);
  const headers = [
    'content-type', 'text/plain; charset=utf-8',
    'content-length', String(body.length),
    'cache-control', 'no-store',
    'x-appshot-problem', problem.kind,
  ];
  if (retryAfterS !== undefined) headers.push('retry-after', String(retryAfterS));
  // The visitor was not told to go on with its body; what it sends next could be that or another request.
  if (response.req.headers.expect !== undefined) response.shouldKeepAlive = false;
  response.writeHead(status, headers);
  response.end(body);
}
