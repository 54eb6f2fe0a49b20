/** The certificate of an erasure. */

/** Personal fields of events of one kind that were erased. */
export interface ErasedEvents {
  readonly aggregate: string
  readonly type: string
  /** The fields, such as `email` or `contacts[].email`. */
  readonly fields: readonly string[]
  readonly count: number
  readonly firstPosition: number
  readonly lastPosition: number
}

/** Rows with personal fields that were erased. They were not built again: their fields read as forgotten. */
export interface ErasedRows {
  readonly of: 'projection' | 'reaction'
  /** Its name in the domain. */
  readonly name: string
  /** How many rows of its read model, states, parked events and timers. */
  readonly count: number
}

/** The certificate of an erasure: what was erased, where and when. It has no personal data besides the subject's id. */
export interface Erasure {
  readonly subject: string
  /** The keys that were destroyed, now or by an earlier call. None if nothing of the subject was stored encrypted. */
  readonly keys: readonly { readonly id: string; readonly destroyedAt: Date }[]
  /** The name of the store that had the keys. */
  readonly keyStore: string
  /** The events with fields that the destroyed keys had encrypted. */
  readonly events: readonly ErasedEvents[]
  /** The rows with such fields, as they were stored during the call. */
  readonly rows: readonly ErasedRows[]
  /** The position up to which the log was searched. */
  readonly searchedTo: number
}
