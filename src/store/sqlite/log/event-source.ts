/** Makes events from rows, on the caller's thread: one at a time by position, or many at a time if they are small. */
import type { DatabaseSync } from 'node:sqlite'
import type { StoredEvent } from '../../store.ts'
import { allRows, oneRow, prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type BatchName, lightIn, type ReadingName, readingIn } from '../database/statements.ts'
import type { EventRow } from './checksum.ts'
import { damagedEvent, eventOf, type KnownStream } from './event-row.ts'
import type { Names } from './names.ts'

/** Events with more characters of JSON are read one at a time. */
const sizeLight = 10_000

export class EventSource {
  readonly names: Names
  readonly #whole: StatementSet<ReadingName>
  readonly #light: StatementSet<BatchName>

  constructor(database: DatabaseSync, prefix: string, names: Names) {
    this.names = names
    this.#whole = prepareAll(database, readingIn(prefix))
    this.#light = prepareAll(database, lightIn(prefix))
  }

  /**
   * The rows of a statement. Large rows lack their JSON. @param sizeMax the size of the largest event that may be met
   */
  rows(name: BatchName, sizeMax: number, ...values: readonly (string | number)[]): readonly EventRow[] {
    if (sizeMax <= sizeLight) return allRows<EventRow>(this.#whole[name], ...values)
    return allRows<EventRow>(this.#light[name], sizeLight, ...values)
  }

  /** @throws Failure if it is missing */
  rowAt(position: number): EventRow {
    const row = oneRow<EventRow>(this.#whole.one, position)
    if (row === undefined) throw damagedEvent(position, 'it is missing')
    return row
  }

  at(position: number): StoredEvent {
    return this.of(this.rowAt(position))
  }

  /** @throws Failure if the row is damaged, or is of another stream than expected */
  of(row: EventRow, expected?: KnownStream): StoredEvent {
    const stream = expected ?? this.names.stream(row[9]!)
    if (row[9] !== undefined && row[9] !== stream.number) {
      throw damagedEvent(row[0], `it is not of stream ${JSON.stringify(stream.id)}`)
    }
    return eventOf(row, stream, this.names.kind(row[2], stream.id.aggregate))
  }
}
