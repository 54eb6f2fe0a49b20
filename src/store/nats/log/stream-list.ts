/**
 * The ids of streams in order. A server keeps all subjects in memory, but lists them only as a whole. They are
 * therefore asked for once, at the first request for an aggregate, and kept in order. From then on the number of
 * subjects shows whether there are new streams, and the first events after the known end of the log say which. A page
 * then costs a binary search.
 */

import { StreamIds, type StreamList, type StreamQuery } from '../../stream-list.ts'
import type { Database } from '../database/setup.ts'
import { lastTokenOf, nameOf } from '../database/subjects.ts'
import { readEvent } from './event-message.ts'
import type { LogReader } from './log-reader.ts'

/** With more new events than these, the subjects are asked for again. */
const missedMax = 100_000

export class StreamLists {
  readonly #database: Database
  readonly #label: string
  readonly #log: LogReader
  #ids = new StreamIds<string, string>((id) => id)
  /** The aggregates whose streams are known, up to the position. */
  readonly #listed = new Set<string>()
  #upTo = 0
  #subjects = 0
  #work: Promise<unknown> = Promise.resolve()

  constructor(database: Database, label: string, log: LogReader) {
    this.#database = database
    this.#label = label
    this.#log = log
  }

  /** One call after the other: each goes on where the one before has ended. */
  list(aggregate: string, query: StreamQuery): Promise<StreamList> {
    const list = this.#work.then(() => this.#list(aggregate, query))
    this.#work = list.catch(() => {})
    return list
  }

  async #list(aggregate: string, query: StreamQuery): Promise<StreamList> {
    await this.#follow()
    if (this.#listed.has(aggregate)) return this.#ids.list(aggregate, query, () => [])
    const ids = await this.#load(aggregate)
    this.#listed.add(aggregate)
    return this.#ids.list(aggregate, query, () => ids)
  }

  /** Adds the streams that are new since the last call. */
  async #follow(): Promise<void> {
    const { last, subjects } = await this.#database.log.state()
    if (this.#listed.size > 0 && (last < this.#upTo || last - this.#upTo > missedMax)) {
      this.#ids = new StreamIds((id) => id)
      this.#listed.clear()
    }
    if (this.#listed.size > 0 && subjects !== this.#subjects) {
      for (let from = this.#upTo + 1; from <= last; ) {
        const { events, examined } = await this.#log.readAll({ from, to: last + 1 }, {})
        for (const { sequence, stream } of events) if (sequence === 1) this.#ids.add(stream.aggregate, stream.id)
        from = examined + 1
      }
    }
    this.#upTo = last
    this.#subjects = subjects
  }

  async #load(aggregate: string): Promise<readonly string[]> {
    const { log, subjects } = this.#database
    const ids: string[] = []
    const long: string[] = []
    for (const subject of await log.subjects(subjects.aggregate(aggregate))) {
      const id = nameOf(lastTokenOf(subject))
      if (id === undefined) long.push(subject)
      else ids.push(id)
    }
    for (const message of (await log.lastOf(long)).values()) ids.push(readEvent(message, this.#label).event.stream.id)
    return ids
  }
}
