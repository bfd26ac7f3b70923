/** Path of the keeper's program, built beside the binding. */
export const keeperProgram: string;

/** Errors of the engine: `code` is one of the protocol's error codes. */
export interface NativeError extends Error { readonly code: string; readonly factsJson?: string }

/**
 * A connection to the keeper of one engine directory, which is started where none runs. It keeps Node.js alive until it is
 * closed or lost. Only plain data crosses: JSON as text, and descriptors as numbers.
 */
export class KeeperConnection {
  constructor(directory: string, keeperProgram: string, onEvent: (json: string) => void, onClosed: (code: string, message: string) => void);
  /** Once. Rejects with a NativeError when no keeper can be started. */
  connect(): Promise<void>;
  /** Resolves to the answer's JSON, rejects with a NativeError. Descriptors are duplicated. */
  call(method: string, params: string, descriptors?: readonly number[]): Promise<string>;
  /** Calls that are under way are rejected with `unavailable`. `onClosed` follows. */
  close(): void;
}
