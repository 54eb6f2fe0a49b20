/** What `mneme dev` and the process that runs the user's code tell each other. All of it passes as JSON. */
import type { TargetOptions } from '../config/load-target.ts'

/** What the process is started with. */
export interface ServeOptions {
  readonly target: TargetOptions
  readonly isAllowedInProduction: boolean
  /** Whether commands can be sent from the page. */
  readonly isWritable: boolean
  /** Where the states by this code are kept for the next one. */
  readonly baseline: string
}

/** A file of the user, with the hash of its content when it was loaded; empty if there was none. */
export type LoadedFile = readonly [path: string, hash: string]

/** From the process. `loaded` and `failed` come first; after `failed` the process ends. */
export type FromProcess =
  | { readonly kind: 'loaded'; readonly files: readonly LoadedFile[] }
  | { readonly kind: 'failed'; readonly files: readonly LoadedFile[]; readonly message: string }
  /** Further files that were loaded later. */
  | { readonly kind: 'files'; readonly files: readonly LoadedFile[] }
  | { readonly kind: 'started'; readonly address: string }

/** To the process. It begins to use the store when it is told to start. */
export type ToProcess =
  | {
      readonly kind: 'start'
      readonly port: number | undefined
      readonly token: string
      /** The states by the code before, if there are any. */
      readonly before: string | undefined
    }
  /** The newest code does not work, so this one goes on; without a message, it does again. */
  | { readonly kind: 'broken'; readonly message: string | undefined }
  | { readonly kind: 'stop' }
