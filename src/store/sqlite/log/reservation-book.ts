/**
 * Reservations of streams, on the writer's thread, inside a transaction that the caller begins and ends. Nearly always
 * nothing is reserved; then a batch asks only once.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { Calls } from '../database/protocol.ts'
import { oneRow, type StatementSet } from '../database/statement-set.ts'
import type { WritingName } from '../database/statements.ts'

/** A reservation that ends further ahead than this was made before the clock went back. It counts as expired. */
const aheadMsMax = 60_000

/** The writer of an append, and its time. */
export interface Appending {
  readonly writer: string | null
  readonly now: number
}

export class ReservationBook {
  readonly #statements: StatementSet<WritingName>
  #isEmpty = true

  constructor(statements: StatementSet<WritingName>) {
    this.#statements = statements
  }

  /** Call this first in each transaction. It drops expired reservations, so that the usual case is fast again. */
  begin(now: number): void {
    const { isReserved, dropReservationsUntil } = this.#statements
    this.#isEmpty = oneRow(isReserved) === undefined
    if (!this.#isEmpty && dropReservationsUntil.run(Math.floor(now)).changes !== 0) {
      this.#isEmpty = oneRow(isReserved) === undefined
    }
  }

  reserve({ streams, writer, durationMs, now }: Calls['reserve']['request']): readonly boolean[] {
    const { saveReservation } = this.#statements
    const given: boolean[] = []
    this.#isEmpty = false
    for (let i = 0; i < streams.length; i += 2) {
      const stream = { aggregate: streams[i]!, id: streams[i + 1]! }
      const isGiven = !this.isOthers(stream, { writer, now })
      if (isGiven) saveReservation.run(stream.aggregate, stream.id, writer, Math.floor(now + durationMs))
      given.push(isGiven)
    }
    return given
  }

  /** Whether a stream is reserved for another writer. */
  isOthers({ aggregate, id }: StreamId, { writer, now }: Appending): boolean {
    if (this.#isEmpty) return false
    const found = oneRow<[string, number]>(this.#statements.reservation, aggregate, id)
    if (found === undefined || found[0] === writer) return false
    return found[1] > now && found[1] <= now + aheadMsMax
  }

  /** Ends the reservation of a stream, after its writer has stored something there. */
  end({ aggregate, id }: StreamId): void {
    if (!this.#isEmpty) this.#statements.dropReservation.run(aggregate, id)
  }
}
