/**
 * The identity of a stream: always the pair of aggregate type and id, never a joined string, so that `a/b` and
 * `a` + `/b` can never meet.
 */
/** An aggregate instance's stream. */
export interface StreamId {
  readonly aggregate: string
  readonly id: string
}
