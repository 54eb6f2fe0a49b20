/**
 * A transport that can be cut off from all others for a while. As with TCP, what is said meanwhile arrives afterwards,
 * if its link still stands then.
 */
import { type Link, LinkError, type LinkEvents, type Transport } from '../../../src/cluster/transport.ts'

export class CuttableTransport implements Transport {
  readonly #inner: Transport
  #isCut = false
  #held: (() => void)[] = []

  constructor(inner: Transport) {
    this.#inner = inner
  }

  cut(forMs: number): void {
    this.#isCut = true
    setTimeout(() => {
      this.#isCut = false
      for (const act of this.#held.splice(0)) act()
    }, forMs)
  }

  listen(accept: (link: Link) => LinkEvents): Promise<string> {
    return this.#inner.listen((link) => {
      const line = { isOver: false }
      return this.#events(accept(this.#link(link, line)), line)
    })
  }

  async connect(address: string, events: LinkEvents, timeoutMs: number): Promise<Link> {
    if (this.#isCut) {
      await new Promise((resolve) => setTimeout(resolve, timeoutMs))
      throw new LinkError('failed', `${address} does not answer`)
    }
    const line = { isOver: false }
    return this.#link(await this.#inner.connect(address, this.#events(events, line), timeoutMs), line)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #link(link: Link, line: { isOver: boolean }): Link {
    return {
      send: (text) => this.#whenWhole(() => link.send(text)),
      close: () => {
        line.isOver = true
        this.#whenWhole(() => link.close())
      },
    }
  }

  #events(events: LinkEvents, line: { readonly isOver: boolean }): LinkEvents {
    const unlessOver = (act: () => void) =>
      this.#whenWhole(() => {
        if (!line.isOver) act()
      })
    return {
      onText: (text) => unlessOver(() => events.onText(text)),
      onClose: () => unlessOver(() => events.onClose()),
    }
  }

  #whenWhole(act: () => void): void {
    if (this.#isCut) this.#held.push(act)
    else act()
  }
}
