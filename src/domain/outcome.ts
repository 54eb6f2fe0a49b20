/** What a caller gets for a command, once it is durable. */
import type { EventOf } from './event.ts'

/** The command was accepted; the events that it decided are stored. */
export interface Accepted<State, Kinds> {
  readonly accepted: true
  /** The state after the command. Frozen: it is the live aggregate's own. */
  readonly state: State
  /** The stream's sequence after the command. */
  readonly sequence: number
  /** The position of the stream's last event; give it to a projection as `atLeast` to read your write. */
  readonly position: number
  /** The events that the command made; empty if it had nothing to do. */
  readonly events: readonly EventOf<Kinds>[]
}

/** The command was answered with a business "no"; nothing is stored. */
export interface Rejected<Rejected> {
  readonly accepted: false
  readonly rejection: Rejected
}

export type Outcome = Accepted<unknown, any> | Rejected<unknown>
