/**
 * What changed code makes of the same log: which states and which rows differ now. States are compared with those that
 * the code before has left; rows with the ones that are stored. At most some differences are kept, and all are counted.
 */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { Json } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import { changesBetween, type Inspection, shown } from '../inspection/index.ts'
import type { DevelopmentView, RowsComparedView, StateDifferenceView, StatesComparedView } from '../studio/views.ts'
import { type StateByCode, type StatesByCode, stateByCode } from './states-by-code.ts'

const differencesMax = 100
const changesMax = 20
/** The longest log from which rows are built again after each change. */
const rowsHeadMax = 100_000

type Changing<View> = { -readonly [Name in keyof View]: View[Name] }

export class CodeChanges {
  readonly #build = randomUUID()
  readonly #startedAt = new Date().toISOString()
  #broken: string | undefined
  #notRunning: string | undefined
  #notCompared: string | undefined
  #kept: number | undefined
  #states: StatesComparedView | undefined
  readonly #rows: RowsComparedView[] = []

  view(): DevelopmentView {
    return {
      build: this.#build,
      startedAt: this.#startedAt,
      ...(this.#broken !== undefined && { broken: this.#broken }),
      ...(this.#notRunning !== undefined && { notRunning: this.#notRunning }),
      ...(this.#notCompared !== undefined && { notCompared: this.#notCompared }),
      ...(this.#kept !== undefined && { kept: this.#kept }),
      ...(this.#states && { states: this.#states }),
      rows: this.#rows,
    }
  }

  /** Newer code does not work, or does again. */
  broken(message: string | undefined): void {
    this.#broken = message
  }

  /** The code works, but the domain has not started. */
  notRunning(message: string): void {
    this.#notRunning = message
  }

  notCompared(message: string): void {
    this.#notCompared = message
  }

  /** States by this code are kept for the next one. */
  kept(count: number): void {
    this.#kept = count
  }

  /** @throws what the store throws, or the reason of the signal */
  async compare(inspection: Inspection, before: string, signal: AbortSignal): Promise<void> {
    const known = JSON.parse(await readFile(before, 'utf8')) as StatesByCode
    await this.#compareStates(inspection, known, signal)
    await this.#compareRows(inspection, signal)
  }

  async #compareStates(inspection: Inspection, known: StatesByCode, signal: AbortSignal): Promise<void> {
    const differences: StateDifferenceView[] = []
    const found: Changing<StatesComparedView> = {
      since: known.at,
      streams: known.states.length,
      compared: 0,
      differing: 0,
      isOver: false,
      differences,
    }
    this.#states = found
    for (const old of known.states) {
      const difference = stateDifference(old, await stateByCode(inspection, old, old.sequence, signal))
      found.compared++
      if (difference !== undefined && found.differing++ < differencesMax) differences.push(difference)
      await setImmediate()
    }
    found.isOver = true
  }

  async #compareRows(inspection: Inspection, signal: AbortSignal): Promise<void> {
    const { store, domain } = inspection
    const head = await store.head()
    for (const [key, projection] of Object.entries(domain!.projections)) {
      // A projection as code has tables of its own.
      if (!('folds' in projection)) continue
      const found: Changing<RowsComparedView> = { projection: projection.name, position: 0, head, isOver: false }
      this.#rows.push(found)
      if (head > rowsHeadMax) {
        found.left = `The log is long. Compare them with mneme projections compare ${key}`
        continue
      }
      try {
        const { projections } = await inspection.everything()
        const job = projections.compare(key, { limit: differencesMax, signal })
        for await (const { position } of job) found.position = position
        const { differing, rows, differences } = await job
        Object.assign(found, { differing, rows, differences: differences.map(rowDifference), isOver: true })
      } catch (error) {
        signal.throwIfAborted()
        found.left = wordsOf(error)
      }
    }
  }
}

function stateDifference(old: StateByCode, now: StateByCode): StateDifferenceView | undefined {
  const { aggregate, id, sequence } = old
  const { changes, more } = changesBetween(old.state ?? null, now.state ?? null, changesMax)
  if (changes.length === 0 && old.failure === now.failure) return undefined
  const failures = {
    ...(old.failure !== undefined && { failureBefore: old.failure }),
    ...(now.failure !== undefined && { failure: now.failure }),
  }
  const isEither = old.failure !== undefined || now.failure !== undefined
  return { aggregate, id, sequence, changes: isEither ? [] : changes, more: isEither ? 0 : more, ...failures }
}

function rowDifference({
  key,
  live,
  rebuilt,
}: {
  readonly key: string
  readonly live: unknown
  readonly rebuilt: unknown
}) {
  const side = (row: unknown): Json => (row === undefined ? null : shown(row))
  return {
    key,
    isMissing: live === undefined,
    isGone: rebuilt === undefined,
    ...changesBetween(side(live), side(rebuilt), changesMax),
  }
}
