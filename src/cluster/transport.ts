/**
 * How members talk to each other: links that carry texts in order. The transport knows nothing of commands. `http/` has
 * the real one.
 */

/** A link between two members. */
export interface Link {
  /** Sends a text. Does nothing if the link is closed. */
  send(text: string): void
  /** Closes it. `onClose` is not called after that. */
  close(): void
}

/** What happens on a link. */
export interface LinkEvents {
  onText(text: string): void
  /** The link was closed by the other side, or broke. */
  onClose(): void
}

/** The other side cannot be reached. `refused`: there is no process. `failed`: that is unknown. */
export class LinkError extends Error {
  override readonly name = 'LinkError'
  readonly kind: 'refused' | 'failed'

  constructor(kind: 'refused' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

export interface Transport {
  /**
   * Accepts links from now on.
   *
   * @param accept called for each link, with that link; returns what is to happen on it
   * @returns the address under which other members reach this one
   */
  listen(accept: (link: Link) => LinkEvents): Promise<string>
  /** Nothing happens on the link before it is returned. @throws LinkError */
  connect(address: string, events: LinkEvents, timeoutMs: number): Promise<Link>
  /** Ends all links, and accepts no more. */
  close(): Promise<void>
}
