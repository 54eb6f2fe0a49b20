/** A network within one process, whose lines can be cut. What is sent over a cut line is lost, and nobody is told. */
import { type Link, LinkError, type LinkEvents, type Transport } from '../../../src/cluster/transport.ts'

type Accept = (link: Link) => LinkEvents

export class LocalNetwork {
  readonly #listening = new Map<string, Accept>()
  readonly #cut = new Set<string>()
  #last = 0

  /** The transport of one more member. Its address is `member N:1`. */
  transport(): Transport {
    const address = `member ${++this.#last}:1`
    const closers = new Set<() => void>()
    return {
      listen: async (accept) => {
        this.#listening.set(address, accept)
        return address
      },
      connect: async (to, events, timeoutMs) => {
        const accept = this.#listening.get(to)
        if (this.#isCut(address, to)) {
          await new Promise((resolve) => setTimeout(resolve, timeoutMs))
          throw new LinkError('failed', `${to} does not answer`)
        }
        if (accept === undefined) throw new LinkError('refused', `nobody listens at ${to}`)
        return this.#connect(address, to, events, accept, closers)
      },
      close: async () => {
        this.#listening.delete(address)
        for (const close of closers) close()
      },
    }
  }

  /** Cuts the line between two members, by their numbers. */
  cut(one: number, other: number): void {
    this.#cut.add(lineOf(`member ${one}:1`, `member ${other}:1`))
  }

  /** Mends all lines. */
  mend(): void {
    this.#cut.clear()
  }

  #isCut(one: string, other: string): boolean {
    return this.#cut.has(lineOf(one, other))
  }

  #connect(from: string, to: string, events: LinkEvents, accept: Accept, closers: Set<() => void>): Link {
    let isOpen = true
    const send = (receiver: () => LinkEvents) => (text: string) => {
      setImmediate(() => {
        if (isOpen && !this.#isCut(from, to)) receiver().onText(text)
      })
    }
    const close = (told: () => LinkEvents) => () => {
      if (!isOpen) return
      isOpen = false
      closers.delete(ours.close)
      setImmediate(() => told().onClose())
    }
    const ours: Link = { send: send(() => there), close: close(() => there) }
    closers.add(ours.close)
    const there: LinkEvents = accept({ send: send(() => events), close: close(() => events) })
    return ours
  }
}

const lineOf = (one: string, other: string): string => [one, other].sort().join(' - ')
