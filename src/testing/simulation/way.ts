/** The way between processes and their store: what a run needs of it, whatever store is simulated. */
import type { StoreFactory } from '../../store/store.ts'
import type { FaultRates } from './faults.ts'
import type { SimulatedProcess } from './process.ts'
import type { Method } from './simulated-store.ts'

export interface Way {
  /** How often what goes wrong; changed when faults begin and stop. */
  rates: FaultRates
  /** How often each fault has happened. */
  readonly counts: ReadonlyMap<string, number>
  /** Notes that a fault has happened. */
  count(fault: keyof FaultRates): void
  /** The store as a process reaches it. */
  storeOf(process: SimulatedProcess): StoreFactory
  /** Whether a start may fail because the store cannot be opened. The process is then started again. */
  readonly mayRefuse: boolean
  /** A process has ended. */
  ended(process: SimulatedProcess): void
  /** How many listeners of a process hear when the log grows. */
  listenersOf(process: SimulatedProcess): number
  /** Faults are over: whoever looks after the machines repairs what they have left. */
  repair(): void
  /** Ends all connections, for instance since the store is set back to an older state. */
  disconnect(): void
}

/** A call of a process to its store. */
export interface Call {
  readonly process: SimulatedProcess
  readonly method: Method
  readonly args: readonly any[]
}

/** What became of a call. */
export type Answer = { readonly value: any } | { readonly error: unknown }

/** Sees all calls, as a packet recorder would. */
export interface Watch {
  /** A process sends a call. */
  sent(call: Call): void
  /** The store has done what it was asked for, or refused it. */
  done(call: Call, answer: Answer): void
  /** The process has the answer, which may be that of the network. */
  answered(call: Call, answer: Answer): void
  /** Only the first commits of a batch are stored. */
  storedInPart(): void
  /** A transaction is undone, since its process has ended. */
  missed(): void
  /** The store itself had no answer to an append. */
  askedItself(): void
}

/** Counts faults by their names. */
export class FaultCounts {
  readonly all: Map<string, number> = new Map()

  count(fault: keyof FaultRates): void {
    this.all.set(fault, (this.all.get(fault) ?? 0) + 1)
  }
}
