import { FarmError } from '@appshot/runtime';

/** The code with which the promise was rejected, or `done`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'done';
  } catch (error) {
    return error instanceof FarmError ? error.code : `not a FarmError: ${String(error)}`;
  }
}
