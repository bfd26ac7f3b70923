import type { ErrorCode } from '@appshot/protocol';

/** The one place that says what each error code is for HTTP clients. */
const httpStatuses = {
  'bad-request': 400,
  'app-file-invalid': 422,
  'host-taken': 409,
  'not-found': 404,
  'illegal-transition': 409,
  'stale-epoch': 409,
  'unsupported-state': 422,
  'command-not-found': 422,
  'not-ready-in-time': 504,
  'clone-unconfirmed': 504,
  'exited-early': 502,
  'image-invalid': 422,
  'environment-mismatch': 409,
  'no-room': 503,
  'disk-full': 507,
  'no-address': 503,
  'port-in-use': 409,
  unavailable: 503,
  timeout: 504,
  'not-on-one-machine': 501,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

export function httpStatusOf(code: ErrorCode): number {
  return httpStatuses[code];
}

/** Exit code of a command that ended with this error: 2 for wrong usage, 1 for everything else. */
export function exitCodeOf(code: ErrorCode): 1 | 2 {
  return code === 'bad-request' ? 2 : 1;
}
