/** Why a gateway answers by itself. What follows from each stands in `problem-answer.ts`, and only there. */
export type Problem =
  | { readonly kind: 'unknown-host'; readonly host: string }
  | { readonly kind: 'bad-request'; readonly because: string }
  | { readonly kind: 'not-implemented'; readonly because: string }
  | { readonly kind: 'cannot-wake'; readonly app: string; readonly because: string; readonly retryAfterS: number }
  | { readonly kind: 'hold-timeout'; readonly app: string; readonly heldMs: number }
  | { readonly kind: 'queue-full'; readonly app: string; readonly held: number }
  | { readonly kind: 'removed'; readonly app: string }
  | { readonly kind: 'stopping' }
  /** The instance refused connections, or broke the connection before its response began. */
  | { readonly kind: 'upstream-failed'; readonly app: string; readonly because: string }
  | { readonly kind: 'upstream-late'; readonly app: string; readonly withinMs: number };
