import type { Problem } from './problem.js';

export interface ProblemAnswer {
  readonly status: number;
  /** What happened, to which site, and what to do; without a line's end. */
  readonly text: string;
  /** Seconds. */
  readonly retryAfterS?: number;
}

/** Status and words of every answer that is the gateway's own. */
export function problemAnswer(problem: Problem): ProblemAnswer {
  switch (problem.kind) {
    case 'unknown-host':
      return { status: 404, text: `no site is deployed for the host name "${problem.host}"; look at \`appshot apps\` for those that are` };
    case 'removed':
      return { status: 404, text: `the site ${problem.app} was removed` };
    case 'bad-request':
      return { status: 400, text: `the request is not valid: ${problem.because}` };
    case 'not-implemented':
      return { status: 501, text: `the request needs what this gateway does not have: ${problem.because}` };
    case 'cannot-wake':
      return { status: 503, text: `${problem.app} cannot be woken: ${problem.because}; try again in ${problem.retryAfterS} s`, retryAfterS: problem.retryAfterS };
    case 'hold-timeout':
      return { status: 503, text: `${problem.app} was not ready within ${Math.round(problem.heldMs)} ms; try again in 5 s`, retryAfterS: 5 };
    case 'queue-full':
      return { status: 503, text: `${problem.held} requests are already waiting for ${problem.app}; try again in 2 s`, retryAfterS: 2 };
    case 'stopping':
      return { status: 503, text: 'this gateway is ending; try again in 1 s', retryAfterS: 1 };
    case 'upstream-failed':
      return { status: 502, text: `${problem.app} did not answer: ${problem.because}; try again in 2 s`, retryAfterS: 2 };
    case 'upstream-late':
      return { status: 504, text: `${problem.app} did not begin its answer within ${problem.withinMs} ms; try again in 5 s`, retryAfterS: 5 };
  }
}
