/** A network within one process, whose lines can be cut. What is sent over a cut line is lost, and nobody is told. */
import { type Link, LinkError, type LinkEvents, type Transport } from '../../../src/cluster/transport.ts'

type Accept = (link: Link) => LinkEvents

interface OpenedLink {
  readonly line: string
  /** The member that has opened it. */
  readonly from: string
  /** Tell this member, and the other one, that it is closed. */
  readonly closeHere: () => void
  readonly closeThere: () => void
}

/** How a lost line shows: there is nobody, or nobody knows. */
type Loss = LinkError['kind']

export class LocalNetwork {
  readonly #listening = new Map<string, Accept>()
  readonly #cut = new Set<string>()
  readonly #lost = new Map<string, Loss>()
  readonly #links: OpenedLink[] = []
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
        const loss = this.#lost.get(lineOf(address, to))
        if (loss !== undefined) throw new LinkError(loss, `${to} cannot be reached`)
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

  /**
   * Loses the line between two members. The first one notices at once; with `failed`, the other one does too. What is
   * under way is lost.
   */
  lose(one: number, other: number, loss: Loss): void {
    this.cut(one, other)
    const line = lineOf(`member ${one}:1`, `member ${other}:1`)
    this.#lost.set(line, loss)
    for (const { from, closeHere, closeThere } of this.#links.filter((link) => link.line === line)) {
      const isOurs = from === `member ${one}:1`
      if (isOurs || loss === 'failed') closeHere()
      if (!isOurs || loss === 'failed') closeThere()
    }
  }

  /** Mends all lines. */
  mend(): void {
    this.#cut.clear()
    this.#lost.clear()
  }

  #isCut(one: string, other: string): boolean {
    return this.#cut.has(lineOf(one, other))
  }

  #connect(from: string, to: string, events: LinkEvents, accept: Accept, closers: Set<() => void>): Link {
    const open = { here: true, there: true }
    const isCut = () => this.#isCut(from, to)
    const send = (side: 'here' | 'there', receiver: () => LinkEvents) => (text: string) => {
      setImmediate(() => {
        if (open[side] && !isCut()) receiver().onText(text)
      })
    }
    const close = (side: 'here' | 'there', told: () => LinkEvents, isTold: boolean) => {
      if (!open[side] || !isTold) return
      open[side] = false
      setImmediate(() => told().onClose())
    }
    const closeHere = (isTold = true) => close('here', () => events, isTold)
    const closeThere = (isTold = true) => close('there', () => there, isTold)
    const ours: Link = {
      send: send('there', () => there),
      close() {
        open.here = false
        closers.delete(ours.close)
        closeThere(!isCut())
      },
    }
    closers.add(ours.close)
    const there: LinkEvents = accept({
      send: send('here', () => events),
      close() {
        open.there = false
        closeHere(!isCut())
      },
    })
    this.#links.push({ line: lineOf(from, to), from, closeHere, closeThere })
    return ours
  }
}

const lineOf = (one: string, other: string): string => [one, other].sort().join(' - ')
