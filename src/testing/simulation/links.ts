/**
 * The network between the members of a simulated cluster. It behaves as connections of TCP do: on one link texts arrive
 * in order and once. A link may be slow, and it may break: then what is on its way is lost, and each side is told or
 * not. Texts that meet a cut line wait until it is mended. A process that has ended refuses connections, unless its
 * machine has ended with it: then nobody answers.
 */
import type { DomainCluster } from '../../cluster/cluster.ts'
import { ClusterNode } from '../../cluster/node.ts'
import { type Link, LinkError, type LinkEvents, type Transport } from '../../cluster/transport.ts'
import type { FaultRates } from './faults.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

/** What a member of a simulated cluster is given. */
const memberOptions = { secretProof: 'simulated', leaseMs: 2000, routeTimeoutMs: 20_000 }

/** Sees what members say to each other. */
export interface LinksWatch {
  /** A member sends a text. */
  said(text: string): void
  count(fault: keyof FaultRates): void
  readonly rates: FaultRates
}

interface Listener {
  readonly process: SimulatedProcess
  readonly accept: (link: Link) => LinkEvents
}

/** One end of a link. */
interface End {
  readonly process: SimulatedProcess
  /** Absent until the link is open here. */
  events: LinkEvents | undefined
  isOpen: boolean
  /** What is on its way to it, in order. */
  inbox: (() => void)[]
  /** When the last of it arrives, in milliseconds since the simulation began. */
  lastMs: number
  /** How much of it waits until the line is mended. */
  held: number
  readonly line: string
  /** Absent when the link is broken. */
  other: End | undefined
}

export class Links {
  readonly #world: World
  readonly #watch: LinksWatch
  readonly #listeners = new Map<string, Listener>()
  /** The addresses of machines that have ended. */
  readonly #silent = new Set<string>()
  /** When lines are mended, in microseconds since the simulation began. */
  readonly #cutUntil = new Map<string, number>()
  readonly #ends = new Map<SimulatedProcess, Set<End>>()

  constructor(world: World, watch: LinksWatch) {
    this.#world = world
    this.#watch = watch
  }

  /** Makes a process a member. */
  clusterOf(process: SimulatedProcess, place: number): DomainCluster {
    const transport = this.#transportOf(process, addressOf(place))
    return { node: (parts) => new ClusterNode({ ...parts, ...memberOptions, transport }) }
  }

  /** How many links of a process are open. */
  openOf(process: SimulatedProcess): number {
    return this.#ends.get(process)?.size ?? 0
  }

  /** Cuts the line between two places for a while. */
  cut(one: number, other: number, forMs: number): void {
    const line = lineOf(addressOf(one), addressOf(other))
    this.#cutUntil.set(line, this.#world.nowUs + forMs * 1000)
    this.#world.after(forMs, `${line} is mended`, () => this.#mend(line))
  }

  /** Mends all lines. */
  heal(): void {
    const lines = [...this.#cutUntil.keys()]
    this.#cutUntil.clear()
    for (const line of lines) this.#mend(line)
  }

  /** What has waited arrives, unless the line was cut again. */
  #mend(line: string): void {
    if (this.#isCut(line)) return
    for (const end of [...this.#ends.values()].flatMap((ends) => [...ends])) {
      if (end.line !== line) continue
      for (; end.held > 0; end.held--) this.#arriveAt(end, this.#latency())
    }
  }

  /** A process has ended. */
  ended(process: SimulatedProcess): void {
    const isMachineGone = this.openOf(process) > 0 && this.#world.random.chance(0.2)
    for (const [address, listener] of this.#listeners) {
      if (listener.process !== process) continue
      this.#listeners.delete(address)
      if (isMachineGone) this.#silent.add(address)
    }
    for (const end of this.#ends.get(process) ?? []) {
      end.isOpen = false
      if (!isMachineGone) this.#close(end.other)
    }
    this.#ends.delete(process)
  }

  #transportOf(process: SimulatedProcess, address: string): Transport {
    return {
      listen: async (accept) => {
        this.#silent.delete(address)
        this.#listeners.set(address, { process, accept })
        return address
      },
      connect: (to, events, timeoutMs) => this.#connect(process, address, to, events, timeoutMs),
      close: async () => {
        if (this.#listeners.get(address)?.process === process) this.#listeners.delete(address)
        for (const end of [...(this.#ends.get(process) ?? [])]) this.#leave(end)
      },
    }
  }

  #connect(process: SimulatedProcess, from: string, to: string, events: LinkEvents, timeoutMs: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const label = `${process.name} to ${to}`
      const fail = (kind: LinkError['kind'], afterMs: number) =>
        this.#world.after(afterMs, `${label} fails`, () => reject(new LinkError(kind, `${to}: ${kind}`)), process)
      const arrive = () => {
        if (this.#isCut(lineOf(from, to)) || this.#silent.has(to)) return fail('failed', timeoutMs)
        const listener = this.#listeners.get(to)
        if (listener === undefined) return fail('refused', this.#latency())
        if (process.isDead) return undefined
        const [here, there] = this.#open(process, from, listener, to)
        this.#deliver(there, () => {
          there.events = listener.accept(this.#linkOf(there))
        })
        this.#deliver(here, () => {
          here.events = events
          resolve(this.#linkOf(here))
        })
        return undefined
      }
      this.#world.after(this.#latency(), `${label} connects`, arrive)
    })
  }

  #open(process: SimulatedProcess, address: string, listener: Listener, to: string): readonly [End, End] {
    const empty = { events: undefined, isOpen: true, lastMs: 0, held: 0, line: lineOf(address, to) }
    const here: End = { ...empty, process, inbox: [], other: undefined }
    const there: End = { ...empty, process: listener.process, inbox: [], other: here }
    here.other = there
    for (const end of [here, there]) {
      const ends = this.#ends.get(end.process) ?? new Set()
      this.#ends.set(end.process, ends.add(end))
    }
    return [here, there]
  }

  /** A link as one of its ends has it. */
  #linkOf(end: End): Link {
    return {
      send: (text) => {
        if (end.isOpen) this.#send(end, text)
      },
      close: () => this.#leave(end),
    }
  }

  #send(from: End, text: string): void {
    const { other: to } = from
    this.#watch.said(text)
    if (to === undefined) return
    if (this.#world.random.chance(this.#watch.rates.breakLink)) this.#break(from, to)
    else this.#deliver(to, () => to.events?.onText(text))
  }

  /** The texts on their way are lost. A side that is not told finds out by the silence of the other. */
  #break(one: End, other: End): void {
    this.#watch.count('breakLink')
    this.#world.tell(`the link between ${one.process.name} and ${other.process.name} breaks`)
    for (const end of [one, other]) {
      // A link that is not open here yet is opened all the same.
      end.inbox = end.inbox.map((happen, i) => (i === 0 && end.events === undefined ? happen : () => {}))
      if (this.#world.random.chance(0.75)) this.#close(end)
      end.other = undefined
    }
  }

  /** One end closes the link; the other one is told. */
  #leave(end: End): void {
    if (!end.isOpen) return
    this.#shut(end)
    this.#close(end.other)
  }

  /** Tells an end that the link is closed. */
  #close(end: End | undefined): void {
    if (end === undefined) return
    this.#deliver(end, () => {
      this.#shut(end)
      end.events?.onClose()
    })
  }

  #shut(end: End): void {
    end.isOpen = false
    this.#ends.get(end.process)?.delete(end)
  }

  /** Lets something happen at an end, after all that is on its way there. */
  #deliver(to: End, happen: () => void): void {
    to.inbox.push(happen)
    to.lastMs = Math.max(to.lastMs, this.#world.nowMs + this.#latency())
    this.#arriveAt(to, to.lastMs - this.#world.nowMs)
  }

  #arriveAt(to: End, afterMs: number): void {
    const arrive = () => {
      if (to.events !== undefined && this.#isCut(to.line)) to.held++
      else {
        const next = to.inbox.shift()
        if (to.isOpen) next?.()
      }
    }
    this.#world.after(afterMs, `${to.process.name} hears`, arrive, to.process)
  }

  #isCut(line: string): boolean {
    return (this.#cutUntil.get(line) ?? 0) > this.#world.nowUs
  }

  /** In milliseconds. Members talk all the time, so few texts are slow. */
  #latency(): number {
    const { random } = this.#world
    return random.chance(this.#watch.rates.slow / 10) ? random.int(50, 2000) : 0.1 + 2 * random.next() ** 3
  }
}

const addressOf = (place: number): string => `p${place + 1}:1`
const lineOf = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`)
