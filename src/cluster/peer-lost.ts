/** Another member is lost: a command that was to go there, or was sent there, has to find the next owner. */

/** The member gave no answer, and will not decide the command. */
export class PeerLost extends Error {
  override readonly name = 'PeerLost'
  /** `refused`: its process has ended. `silent`: that is unknown. `closed`: it is no member any more. */
  readonly kind: 'refused' | 'silent' | 'closed'
  /** Whether the command was sent, so that it may be stored. */
  readonly wasSent: boolean

  constructor(kind: 'refused' | 'silent' | 'closed', wasSent: boolean, options?: ErrorOptions) {
    super(`The other member of the cluster is lost: ${kind}`, options)
    this.kind = kind
    this.wasSent = wasSent
  }
}
