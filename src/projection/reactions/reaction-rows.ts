/**
 * What a reaction keeps beside its checkpoint: its states, timers, and answers that a handler has acted on. A command
 * that made events is in the log for good. A rejection, or "nothing to do", leaves no trace there. A handler that runs
 * again must get the same answer. Otherwise it could take the other way after half of the first.
 */
import { encode } from '../../domain/encoding.ts'
import type { Json } from '../../domain/json.ts'
import type { Outcome } from '../../domain/outcome.ts'
import { Rejection } from '../../domain/rejection.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { rowPages } from '../stored/row-pages.ts'
import {
  decodeRow,
  type Form,
  fieldsOf,
  formedRow,
  isRecord,
  isText,
  isWhole,
  type RowPlace,
} from '../stored/row-value.ts'
import { Timers } from './timers.ts'

/** What an event has led to that left no trace in the log. */
export type Remembered = UnstoredAnswer | KeptTime | StepResult

/** The answer to a command that stored nothing: a rejection, or the end of the stream when there was nothing to do. */
export type UnstoredAnswer =
  | { readonly rejection: Rejection<string, unknown> }
  | { readonly sequence: number; readonly position: number }

/** When a command was decided first, in milliseconds since 1970. Kept for a decision that asks for the time. */
export interface KeptTime {
  readonly decidedAt: number
}

/** What a step returned. */
interface StepResult {
  readonly result?: unknown
}

const pageSize = 1000
const answerPrefix = 'answer '
const statePrefix = 'state '

/** The key of the row with the answer to a command that was sent for an event. */
export const answerKey = (position: number, command: string): string => `${answerPrefix}${position}:${command}`

/** Whether the row with a key holds a state. */
export const isState = (key: string): boolean => key.startsWith(statePrefix)

/** The key of the row with the state of a key. */
export const stateKey = (key: string): string => `${statePrefix}${key}`

/** Whether the row with a key is an answer for an event up to a position: an event that is parked there. */
export const isAnswerUpTo = (key: string, position: number): boolean =>
  key.startsWith(answerPrefix) && positionOfAnswer(key) <= position

/**
 * The name of the step whose result is in the row with a key. `undefined` for an answer of an aggregate that is called
 * "step", whose key has one part more.
 *
 * @throws StoreError `STORE_CORRUPT`
 */
function stepIn(place: RowPlace, key: string): string | undefined {
  let step: unknown
  try {
    step = JSON.parse(key.slice(key.indexOf(':') + 1))
  } catch {
    // It is not of the expected form then.
  }
  const isForm: Form = (found) => Array.isArray(found) && typeof found[1] === 'string'
  const { 1: name, length } = formedRow<readonly [string, string, ...unknown[]]>(place, key, step, isForm)
  return length === 3 ? name : undefined
}

/** The names of the steps of an event whose results are stored, in the order of their names. */
export async function storedSteps(store: ProjectionStore, name: string, position: number): Promise<readonly string[]> {
  const prefix = answerKey(position, '["step",')
  const names: string[] = []
  for await (const rows of rowPages(store, name, { prefix, limit: pageSize })) {
    for (const { key } of rows) {
      const step = stepIn({ store, storage: name }, key)
      if (step !== undefined) names.push(step)
    }
  }
  return names
}

/** The position of the event for which a command was sent. */
const positionOfAnswer = (key: string): number => Number(key.slice(answerPrefix.length).split(':')[0])

export class ReactionRows {
  readonly timers: Timers = new Timers()
  readonly #onLoad: () => void
  /** The answers, by the position of the event, then by the key of the row. */
  readonly #answers = new Map<number, Map<string, Remembered>>()
  #place: RowPlace = { store: { name: '' }, storage: '' }

  /** @param onLoad called when everything in memory is dropped */
  constructor(onLoad: () => void) {
    this.#onLoad = onLoad
  }

  /** Drops everything, and reads the stored answers. States and timers are read when they are needed. */
  async load(store: ProjectionStore, name: string, breath: Breath): Promise<void> {
    this.#onLoad()
    this.#place = { store, storage: name }
    this.timers.load(store, name)
    this.#answers.clear()
    for await (const rows of rowPages(store, name, { prefix: answerPrefix, limit: pageSize })) {
      this.apply(rows)
      await breath.pause()
    }
  }

  /** Applies rows that were saved. Ignores rows of other kinds. @throws StoreError `STORE_CORRUPT` */
  apply(rows: readonly Row[]): void {
    this.timers.apply(rows)
    for (const { key, value } of rows) {
      if (!key.startsWith(answerPrefix)) continue
      const position = positionOfAnswer(key)
      const answers = this.#answers.get(position) ?? new Map<string, Remembered>()
      if (value === undefined) answers.delete(key)
      else answers.set(key, rememberedOf(this.#place, key, value))
      if (answers.size > 0) this.#answers.set(position, answers)
      else this.#answers.delete(position)
    }
  }

  /** The answer to a command, if it is not in the log. */
  answer(key: string): Remembered | undefined {
    return this.#answers.get(positionOfAnswer(key))?.get(key)
  }

  /** The rows that delete the answers of an event, which is handled. */
  handled(position: number): readonly Row[] {
    return Array.from(this.#answers.get(position)?.keys() ?? [], (key) => ({ key, value: undefined }))
  }
}

type StoredAnswer =
  | { readonly code: string; readonly details?: unknown }
  | { readonly sequence: number; readonly position: number }
  | KeptTime
  | StepResult

const isRejection = fieldsOf({ code: isText })
const isStoredAnswer: Form = (found) => {
  if (!isRecord(found)) return false
  if ('code' in (found as object)) return isRejection(found)
  if ('decidedAt' in (found as object)) return isTime(found)
  return 'sequence' in (found as object) ? isEnd(found) : true
}
const isEnd = fieldsOf({ sequence: isWhole, position: isWhole })
const isTime = fieldsOf({ decidedAt: isWhole })

function rememberedOf(place: RowPlace, key: string, value: Json): Remembered {
  const stored = formedRow<StoredAnswer>(place, key, decodeRow(place, key, value), isStoredAnswer)
  return 'code' in stored ? { rejection: new Rejection(stored.code, stored.details) } : stored
}

/** The row that stores the time of a decision. */
export const timeRow = (key: string, decidedAt: number): Row => ({ key, value: { decidedAt } })

/** The row that stores the result of a step. @throws InputError `DATA_NOT_JSON` */
export const stepRow = (key: string, name: string, result: unknown): Row => ({
  key,
  value: encode(`The result of the step ${name}`, { result }),
})

/**
 * The row that stores an answer, or `undefined` if the answer is in the log or need not be stored.
 *
 * @throws InputError `DATA_NOT_JSON` if the details of a rejection cannot be stored
 */
export function answerRow(key: string, outcome: Outcome): Row | undefined {
  if (outcome.accepted) {
    const { sequence, position, events } = outcome
    return events.length > 0 ? undefined : { key, value: { sequence, position } }
  }
  if (!(outcome.rejection instanceof Rejection)) return undefined
  const { code, details } = outcome.rejection
  return { key, value: encode(`The rejection ${code}`, { code, details }) }
}
