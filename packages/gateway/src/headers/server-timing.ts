import type { Phases } from '@appshot/protocol';

/** How a request that had to wait got its instance. */
export interface WakeNote {
  /** `restore`, `launch`, `clone` or `already`, as the scheduler said. */
  readonly how: string;
  /** Milliseconds by phase, as the scheduler and the agent measured them. */
  readonly phases: Phases;
}

export interface Waited {
  /** Undefined when no wake was answered meanwhile: the request waited for its turn, or another gateway woke the site. */
  readonly wake: WakeNote | undefined;
  /** From arrival to being sent to the instance. */
  readonly heldMs: number;
  /** From being sent to the first byte of the response. */
  readonly replyMs: number;
}

/**
 * The value of a Server-Timing field. `wake` is the whole wait; it is the sum of `hold` (what neither the scheduler nor
 * the agent accounts for: the queue, the call's way) and of the wake's own phases. `reply` came after it.
 */
export function serverTiming({ wake, heldMs, replyMs }: Waited): string {
  if (wake === undefined) return `hold;dur=${heldMs.toFixed(1)}, reply;dur=${replyMs.toFixed(1)}`;
  const phases = Object.entries(wake.phases);
  const accounted = phases.reduce((sum, [, ms]) => sum + ms, 0);
  return [
    `wake;desc=${token(wake.how)};dur=${heldMs.toFixed(1)}`,
    `hold;dur=${Math.max(0, heldMs - accounted).toFixed(1)}`,
    ...phases.map(([name, ms]) => `${token(name)};dur=${ms.toFixed(1)}`),
    `reply;dur=${replyMs.toFixed(1)}`,
  ].join(', ');
}

/** Names of phases are another process's; a field's token has fewer characters. */
function token(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '-') || '-';
}
