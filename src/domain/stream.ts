/**
 * The identity of a stream. It is always a pair of aggregate and id, and never a joined string, so two different pairs
 * cannot look the same.
 */
/** The stream of one aggregate instance. */
export interface StreamId {
  readonly aggregate: string
  readonly id: string
}
