/**
 * Puts an exported log into a store, with the same positions, sequences, times and ids. It can be killed at any moment
 * and started again: what the store has is compared with the lines, event by event, and the rest follows. A store with
 * other events is refused, and nothing in it is changed.
 */
import { type Commit, commit, type EventStore } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import type { LogSummary } from './export-log.ts'
import { linesOf, recordIn } from './lines.ts'
import { readLogPages } from './read-log.ts'
import { type EventRecord, isSameEvent, LogDigest, recordOf, timeOf } from './record.ts'
import { streamKey, TextNumbers } from './text-numbers.ts'

export interface ImportOptions {
  readonly signal?: AbortSignal
  /** Is told the last position that was compared or stored. */
  readonly onProgress?: (position: number) => void
}

export interface ImportSummary extends LogSummary {
  /** Whether the store has events beyond those of the lines. */
  readonly goesOn: boolean
}

/** How much is stored in one call, at most, unless a single commit is larger. */
const batchEventsMax = 500
const batchCharactersMax = 2_000_000

/**
 * Imports the lines of an export.
 *
 * @throws ToolsError `LINE_INVALID`; `LOG_DIFFERS` if the store has other events, or gets some from others meanwhile;
 *   InputError for what no store takes
 */
export async function importLog(
  store: EventStore,
  lines: AsyncIterable<Uint8Array>,
  { signal, onProgress }: ImportOptions = {},
): Promise<ImportSummary> {
  const present = presentEvents(store, signal)
  const order = new Order(store)
  const digest = new LogDigest()
  const batch = new Batch(store)
  let kept = 0
  let events = 0
  let group: EventRecord[] = []
  let previous: EventRecord | undefined
  const flush = async () => {
    if (group.length > 0) await batch.add(group)
    group = []
  }
  for await (const { text, number, isWhole } of linesOf(lines)) {
    signal?.throwIfAborted()
    if (!isWhole) throw unfinished(`Line ${number} has no end`)
    const record = recordIn(text, number)
    if (record.position !== events + 1) {
      throw new ToolsError('LINE_INVALID', `Line ${number} has the event at position ${record.position}`, {
        advice: `After position ${events} comes ${events + 1}: the lines must be a whole log, in order`,
      })
    }
    events++
    digest.add(record)
    const begins = previous === undefined || !isSameCommit(previous, record)
    if (begins) await flush()
    const isInOrder = begins ? order.begins(record) : record.sequence === previous!.sequence + 1
    previous = record
    const stored = await present.next()
    if (!stored.done) {
      if (!isSameEvent(stored.value, record)) throw differs(record.position)
      kept = events
      onProgress?.(events)
      continue
    }
    if (!isInOrder) await order.check(record, () => batch.store())
    group.push(record)
    onProgress?.(batch.head)
  }
  await flush()
  await batch.store()
  const goesOn = !(await present.next()).done
  return { events, kept, digest: digest.end(), goesOn }
}

const isSameCommit = (a: EventRecord, b: EventRecord): boolean =>
  a.commitId === b.commitId && a.id === b.id && a.aggregate === b.aggregate

/** The events that the store has before the import. */
async function* presentEvents(
  store: EventStore,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventRecord, void, void> {
  const head = await store.head()
  if (head === 0) return
  for await (const page of readLogPages(store, signal && { signal })) {
    for (const event of page) {
      if (event.position > head) return
      yield recordOf(event)
    }
  }
}

/**
 * Whether the lines are what a log can be, before any of them is stored: a commit that conflicts would move all that
 * come after it.
 */
class Order {
  readonly #store: EventStore
  readonly #ends = new TextNumbers()
  readonly #commits = new TextNumbers()

  constructor(store: EventStore) {
    this.#store = store
  }

  /** @returns whether the commit that begins with an event is certainly new, and continues its stream */
  begins(record: EventRecord): boolean {
    const { sequence, commitId, commit: facts } = record
    const key = streamKey(record)
    const isNew = this.#commits.replace(`${key} ${commitId}`, 1) === 0
    const end = this.#ends.replace(key, sequence - 1 + (facts?.count ?? 1))
    return isNew && end === sequence - 1
  }

  /** Asks the store, in which everything before must be. @throws ToolsError `LINE_INVALID` */
  async check(record: EventRecord, storeAll: () => Promise<void>): Promise<void> {
    await storeAll()
    const { aggregate, id, sequence, position, commitId } = record
    const stream = { aggregate, id }
    const [end] = await this.#store.streamEnds([stream])
    const twice = await this.#store.findCommit(stream, commitId)
    if (twice === undefined && end!.sequence === sequence - 1) return
    const where = `The event at position ${position} does not continue the stream ${aggregate} ${JSON.stringify(id)}`
    const why = twice === undefined ? `its sequence is ${sequence}` : 'its commit is there already'
    throw new ToolsError('LINE_INVALID', `${where}: ${why}`)
  }
}

/** Commits that go to the store in one call. */
class Batch {
  readonly #store: EventStore
  #commits: Commit[] = []
  #ends: number[] = []
  #events = 0
  #characters = 0
  /** The last position that is stored. */
  #head = 0

  constructor(store: EventStore) {
    this.#store = store
  }

  get head(): number {
    return this.#head
  }

  async add(records: readonly EventRecord[]): Promise<void> {
    if (this.#commits.length === 0) this.#head = records[0]!.position - 1
    const first = records[0]!
    const { aggregate, id, commitId, sequence, commit: facts } = first
    if (facts !== undefined && facts.count !== records.length) {
      throw unfinished(
        `The commit at position ${first.position} has ${facts.count} events, of which the lines have ${records.length}`,
      )
    }
    const made = commit({
      stream: { aggregate, id },
      expected: sequence - 1,
      id: commitId,
      recordedAt: timeOf(first),
      events: records.map(({ type, revision, data, metadata, tags }) => ({ type, revision, data, metadata, tags })),
      ...(facts?.command && { command: facts.command }),
    })
    this.#commits.push(made)
    this.#ends.push(records.at(-1)!.position)
    this.#events += records.length
    this.#characters += made.size
    if (this.#events >= batchEventsMax || this.#characters >= batchCharactersMax) await this.store()
  }

  async store(): Promise<void> {
    if (this.#commits.length === 0) return
    // Somebody else who writes would move all positions.
    if ((await this.#store.head()) !== this.#head) throw differs(this.#head + 1)
    const results = await this.#store.append(this.#commits)
    for (const [i, result] of results.entries()) {
      const end = this.#ends[i]!
      // A duplicate is what a repeated call of the store itself has left.
      if (result.status === 'conflict' || result.position !== end) throw differs(end)
    }
    this.#head = this.#ends.at(-1)!
    this.#commits = []
    this.#ends = []
    this.#events = 0
    this.#characters = 0
  }
}

const unfinished = (what: string): ToolsError =>
  new ToolsError('LINE_INVALID', what, {
    advice: 'The export was not finished. Finish it, and import again',
  })

const differs = (position: number): ToolsError =>
  new ToolsError('LOG_DIFFERS', `The store has another event at position ${position} than the lines`, {
    advice:
      'Import into an empty store, or one in which an import of the same log has begun, and let nobody write to it',
  })
