/** Another member is lost: a command that was to go there, or was sent there, has to find the next owner. */

/** The member gave no answer, and will not decide the command. */
export class PeerLost extends Error {
  override readonly name = 'PeerLost'
  /** `refused`: its process has ended. `silent`: that is unknown. `closed`: it is no member any more. */
  readonly kind: 'refused' | 'silent' | 'closed'
  /**
   * If the command was sent, so that it may be stored: when the member was last heard, by `elapsed`. It does not decide
   * the command for longer than `validMs` after that.
   */
  readonly heardAt: number | undefined

  constructor(kind: 'refused' | 'silent' | 'closed', heardAt: number | undefined, options?: ErrorOptions) {
    super(`The other member of the cluster is lost: ${kind}`, options)
    this.kind = kind
    this.heardAt = heardAt
  }
}
