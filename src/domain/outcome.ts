/** The result of a command. The caller gets it when it is durable. */
/** The command was accepted, and its events are stored. */
export interface Accepted<State, Event> {
  readonly accepted: true
  /** The state after the command. It is frozen, because the live aggregate uses the same object. */
  readonly state: State
  /** The stream's sequence after the command. */
  readonly sequence: number
  /** The position of the stream's last event. Give it to a projection as `atLeast` to read what you wrote. */
  readonly position: number
  /** The events of the command; empty if there was nothing to do. */
  readonly events: readonly Event[]
}

/** The command was rejected, and nothing was stored. */
export interface Rejected<Rejected> {
  readonly accepted: false
  readonly rejection: Rejected
}

export type Outcome = Accepted<unknown, any> | Rejected<unknown>
