/** Decides commands as a spec does: by the aggregate's own functions, with ids and a time that are always the same. */
import type { AnyAggregate, Moment, RecordedEvent } from '../../../../src/index.ts'
import { applied, initialState } from '../../inspection/index.ts'
import { checked } from './checked.ts'

/** An event as a test has it. */
export interface TestEvent {
  readonly type: string
  /** As its kind takes it. Personal values are stand-ins. */
  readonly data: unknown
  /** When it was stored, in milliseconds since 1970. */
  readonly atMs: number
}

export interface TestCommand {
  readonly name: string
  readonly data: unknown
  readonly atMs: number
}

/** What a command leads to. */
export type Decided =
  | { readonly events: readonly Pick<TestEvent, 'type' | 'data'>[]; readonly state: unknown }
  | { readonly rejection: { readonly code: string; readonly details?: unknown } }

export interface History {
  readonly aggregate: AnyAggregate
  readonly given: readonly TestEvent[]
  /** Whether all happens at the beginning of 1970, as in a spec that says no time. */
  readonly isTimeless: boolean
}

/** The state after the history. @throws what the code of the domain throws */
export function stateAfter({ aggregate, given, isTimeless }: History): unknown {
  return given.reduce(
    (state, event, i) => applied(aggregate, state, recorded(aggregate, event, i + 1, isTimeless ? 0 : event.atMs)),
    initialState(aggregate),
  )
}

/** What a command leads to after the history. @throws Error if its data is not valid; what the code throws */
export function decided(history: History, { name, data, atMs }: TestCommand): Decided {
  const { aggregate, given, isTimeless } = history
  const nowMs = isTimeless ? 0 : atMs
  const state = stateAfter(history)
  const decision = aggregate.decisions.get(name)
  if (decision === undefined) throw new Error(`${aggregate.name} has no command ${name}`)
  let ids = 0
  const newId = () => `id-${++ids}`
  const moment: Moment = { now: new Date(nowMs), newId, commandId: 'spec', metadata: {}, tags: [] }
  const verdict: unknown = aggregate.decide(state, name, checked(decision.schema, data), moment)
  if (verdict === undefined) return { events: [], state }
  if (!Array.isArray(verdict) && !isEvent(verdict))
    return { rejection: verdict as Extract<Decided, { readonly rejection: object }>['rejection'] }
  const events = (Array.isArray(verdict) ? verdict : [verdict]) as readonly Pick<TestEvent, 'type' | 'data'>[]
  const after = events.reduce(
    (before, event, i) => applied(aggregate, before, recorded(aggregate, event, given.length + i + 1, nowMs)),
    state,
  )
  return { events, state: after }
}

const isEvent = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'type' in value && 'data' in value

/** An event as the functions of the domain get it. */
function recorded(
  aggregate: AnyAggregate,
  { type, data }: Pick<TestEvent, 'type' | 'data'>,
  sequence: number,
  atMs: number,
): RecordedEvent {
  const kind = aggregate.folds.get(type)?.kind
  if (kind === undefined) throw new Error(`${aggregate.name} has no event ${type}`)
  const output = checked(kind.revisions.at(-1)!.schema, data)
  return {
    stream: { aggregate: aggregate.name, id: 'spec' },
    type,
    revision: kind.revisions.length,
    data: output,
    metadata: {},
    tags: [],
    sequence,
    position: 0,
    recordedAt: new Date(atMs),
    commitId: `given-${sequence}`,
  }
}
