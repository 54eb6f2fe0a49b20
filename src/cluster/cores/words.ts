/** What the supervisor and its processes say to each other. */

/** What the supervisor says. */
export type ToCore =
  | { readonly tell: 'start'; readonly number: number; readonly secret: string }
  | { readonly tell: 'stop' }

/** What a process says. */
export type FromCore =
  | { readonly say: 'ready' }
  | { readonly say: 'started' }
  /** It ends because of an error. */
  | { readonly say: 'failed'; readonly reason: string; readonly stack: string }

/** Set in the environment of a process that a supervisor has started. */
export const markOfCore = 'MNEME_CORE'
