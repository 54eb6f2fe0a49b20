/**
 * Reads the events whose positions are in all indexes of the wanted tags and kinds. The number of entries that it looks
 * at is bounded.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SharedBreath } from '../../../runtime/breath.ts'
import { matches } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { ReadAllOptions } from '../../store.ts'
import { allRows, prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type ReadingName, readingIn } from '../database/statements.ts'
import { damaged, damagedEvent, sizeOf } from './event-row.ts'
import type { EventSource } from './event-source.ts'
import { agree, indexed, type Positions, union } from './positions.ts'
import type { Progress } from './progress.ts'
import { type SecondIndexStatements, secondIndexStatementsOf } from './second-index-statements.ts'

/** The number of index entries that are looked at for a page. */
const examinedMax = 20_000
/** The number of steps over the indexes between two looks at the clock. */
const stepsBetween = 100

export class FilteredRead {
  readonly #statements: StatementSet<ReadingName>
  readonly #second: SecondIndexStatements
  readonly #source: EventSource
  readonly #breath: SharedBreath

  constructor(database: DatabaseSync, prefix: string, source: EventSource, breath: SharedBreath) {
    this.#statements = prepareAll(database, readingIn(prefix))
    this.#second = secondIndexStatementsOf(database, prefix)
    this.#source = source
    this.#breath = breath
  }

  /** Reads events that have all of the tags, and one of the kinds if kinds are given. */
  async read(
    progress: Progress,
    range: Range,
    kinds: readonly number[] | undefined,
    options: ReadAllOptions,
  ): Promise<void> {
    const { backward, signal } = progress.reading
    let examined = 0
    const positions = (index: 'tag' | 'kind', key: string | number) =>
      this.#positions(index, key, range, backward, (count) => {
        examined += count
      })
    const lists = (options.tags ?? []).map((tag) => positions('tag', tag))
    if (kinds !== undefined) {
      const ofKinds = kinds.map((kind) => positions('kind', kind))
      lists.push(union(ofKinds, backward))
    }
    let next = backward ? range.to - 1 : range.from
    for (let steps = 1; next >= range.from && next < range.to; steps++) {
      if (progress.isFull || examined + steps > examinedMax) return progress.endEarly(next)
      const candidate = agree(lists, next)
      if (candidate === undefined) return
      const { position, agreed } = candidate
      if (backward ? position > next : position < next) throw damagedEvent(position, 'an index has it in another place')
      if (agreed) this.#take(progress, position, options)
      next = agreed ? position + (backward ? -1 : 1) : position
      if (steps % stepsBetween === 0 && this.#breath.isDue) await this.#breath.pause(signal)
    }
  }

  #take(progress: Progress, position: number, options: ReadAllOptions): void {
    const row = this.#source.rowAt(position)
    const event = this.#source.of(row)
    if (!matches(options, event)) throw damagedEvent(position, 'it does not match its indexes')
    progress.add(event, sizeOf(row))
  }

  #positions(
    index: 'tag' | 'kind',
    key: string | number,
    { from, to }: Range,
    backward: boolean,
    examine: (count: number) => void,
  ): Positions {
    const name = `${index}${backward ? 'Backward' : 'Forward'}` as const
    const read = (statement: StatementSync, at: number, count: number) => {
      const rows = backward
        ? allRows<[number]>(statement, key, from, at + 1, count)
        : allRows<[number]>(statement, key, at, to, count)
      return rows.map(([position]) => position)
    }
    return indexed((at, count) => {
      const positions = read(this.#statements[name], at, count)
      if (this.#second !== undefined && !isSame(positions, read(this.#second[name], at, count))) {
        throw damaged(`an index of a ${index}`, 'it lacks an entry that another index has')
      }
      examine(positions.length)
      return positions
    }, backward)
  }
}

const isSame = (some: readonly number[], others: readonly number[]): boolean =>
  some.length === others.length && some.every((position, i) => position === others[i])
