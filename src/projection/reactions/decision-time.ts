/** The time at which a command of a handler is decided, kept until the event is handled (`kernel/fixed-time.ts`). */
import { DecisionError, EventError } from '../../domain/error.ts'
import type { Fence } from '../../kernel/dispatch-options.ts'
import type { Row } from '../../store/store.ts'
import { Overtaken } from '../failures/blame.ts'
import { answerKey, type KeptTime, type ReactionRows, timeRow } from './reaction-rows.ts'

/** The command as the key of its answer has it: aggregate, id, name, and how often it was sent before, from 1. */
export type NthCommand = readonly [aggregate: string, id: string, name: string, nth: number]

/** What the commands of a handler have in common. */
export interface Means {
  /** @throws Overtaken */
  readonly fence: Fence
  /** Stores a row at once, durably. Returns false if this runner was overtaken. */
  readonly keep: (row: Row) => Promise<boolean>
}

export class DecisionTime {
  readonly #means: Means
  readonly #rows: ReactionRows
  readonly #position: number
  readonly #what: NthCommand

  constructor(means: Means, rows: ReactionRows, position: number, what: NthCommand) {
    this.#means = means
    this.#rows = rows
    this.#position = position
    this.#what = what
  }

  /** The key of the row. Most commands never need it. */
  get #key(): string {
    return answerKey(this.#position, JSON.stringify(['time', ...this.#what]))
  }

  /** The fence of the command. It stores the time for a decision that asks for it. */
  readonly fence: Fence = async (wantedMs) => {
    await this.#means.fence()
    if (wantedMs === undefined) return undefined
    const known = this.#kept
    if (known === undefined) await this.#keep(timeRow(this.#key, wantedMs))
    return known?.decidedAt ?? wantedMs
  }

  /** Forgets the time if the decision has failed, so that the next try has a time of its own. @throws the error */
  async afterFailure(error: unknown): Promise<never> {
    const isFailed = error instanceof DecisionError || error instanceof EventError
    if (isFailed && this.#kept !== undefined) await this.#keep({ key: this.#key, value: undefined })
    throw error
  }

  get #kept(): KeptTime | undefined {
    return this.#rows.answer(this.#key) as KeptTime | undefined
  }

  async #keep(row: Row): Promise<void> {
    if (!(await this.#means.keep(row))) throw new Overtaken()
  }
}
