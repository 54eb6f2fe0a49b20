/** Plays steps on the log of a store and on the model, and compares their answers. */
import assert from 'node:assert/strict'
import { hasCode } from '../../domain/error.ts'
import { type Commit, commit } from '../../store/commit.ts'
import { everything } from '../../store/range.ts'
import type { Page, ReadAllOptions, Store } from '../../store/store.ts'
import type { StorePlace } from '../conformance/kit.ts'
import { Caller } from './callers.ts'
import { logReplaced, ModelStore } from './model-store.ts'
import type { ChangeOfCaller, DrawnCommit, DrawnPlace, Step } from './steps.ts'

type Call = Exclude<Step, ChangeOfCaller>

const whole = { limit: Number.POSITIVE_INFINITY }
/** The longest that a reservation may last, so that a slow server does not end it. */
const reservedMs = 60_000

/**
 * Plays steps on a fresh place and on the model.
 *
 * @throws AssertionError at the first answer that differs
 */
export async function playLog(place: StorePlace, steps: readonly Step[]): Promise<void> {
  const caller = new Caller(place)
  try {
    const model = new ModelStore()
    for (const step of steps) {
      const store = await caller.store()
      if (isChange(step)) {
        // A store that only one process can open keeps reservations in memory.
        if (step.kind === 'reopen' && store.singleWriter) model.forgetReservations()
        await caller.change(step)
      } else {
        await compare(store, model, { step, now: caller.now() })
      }
    }
    const store = await caller.store()
    samePage(await store.readAll(everything, whole), model.readAll(everything, whole))
  } finally {
    await caller.end()
  }
}

const isChange = (step: Step): step is ChangeOfCaller => ['reopen', 'switch', 'wait'].includes(step.kind)

interface Asked<Asked extends Call = Call> {
  readonly step: Asked
  readonly now: number
}

async function compare(store: Store, model: ModelStore, { step, now }: Asked): Promise<void> {
  switch (step.kind) {
    case 'append':
      return compareAppend(store, model, { step, now })
    case 'readAll':
      return comparePage(store, model, step)
    case 'readStream':
      return same(
        await store.readStream(step.stream, step.range, step.options),
        model.readStream(step.stream, step.range, step.options),
      )
    case 'findCommit':
      return same(await store.findCommit(step.stream, step.id), model.findCommit(step.stream, step.id))
    case 'streamEnds':
      return same(await store.streamEnds(step.streams), model.streamEnds(step.streams))
    case 'reserve':
      return same(
        await store.reserve(step.streams, step.writer, reservedMs),
        model.reserve(step.streams, step.writer, { durationMs: reservedMs, now }),
      )
    case 'listStreams':
      return same(await listed(store, step), model.listStreams(step.aggregate, step.query.after))
    case 'head':
      return same(await store.head(), model.head())
  }
}

async function compareAppend(
  store: Store,
  model: ModelStore,
  { step, now }: Asked<Call & { kind: 'append' }>,
): Promise<void> {
  const { writer } = step
  const commits = commitsOf(model, step.commits)
  const results = await store.append(commits, writer === undefined ? {} : { writer })
  const { events: readBack } = await store.readAll({ ...everything, from: model.head() + 1 }, whole)
  same(results, model.append(commits, { writer, now, readBack }))
}

async function comparePage(store: Store, model: ModelStore, step: Call & { kind: 'readAll' }): Promise<void> {
  const options = optionsOf(model, step)
  const page = await store.readAll(step.range, options).catch((error: unknown) => {
    if (!hasCode(error, logReplaced)) throw error
    return logReplaced as typeof logReplaced
  })
  samePage(page, model.readAll(step.range, options))
}

function optionsOf(model: ModelStore, { options, behind }: Call & { kind: 'readAll' }): ReadAllOptions {
  return behind === undefined ? options : { ...options, behind: placeOf(model, behind) }
}

function placeOf(model: ModelStore, { position, checksum }: DrawnPlace): NonNullable<ReadAllOptions['behind']> {
  if (checksum === 'none') return { position }
  return { position, checksum: model.checksumAt(position) + (checksum === 'right' ? 0 : 1) }
}

/** A page may say that it is not known to be the last one, but not that it is if it is not. */
function samePage(found: Page | typeof logReplaced, expected: Page | typeof logReplaced): void {
  if (found === logReplaced || expected === logReplaced) assert.equal(found, expected)
  else same(found, found.isLast ? expected : { ...expected, isLast: false })
}

/** The ids of all pages, from the first one asked for on. */
async function listed(store: Store, { aggregate, query }: Call & { kind: 'listStreams' }): Promise<readonly string[]> {
  const all: string[] = []
  for (let page = await store.listStreams(aggregate, query); ; ) {
    all.push(...page.ids)
    if (page.next === undefined) return all
    page = await store.listStreams(aggregate, { ...query, after: page.next })
  }
}

/** The commits of a batch. Exact expectations are computed from the model and from earlier commits of the batch. */
function commitsOf(model: ModelStore, drawn: readonly DrawnCommit[]): readonly Commit[] {
  const hoped = new Map<string, number>()
  return drawn.map(({ stream, expected, id, recordedAt, types, tags, command }) => {
    const key = JSON.stringify([stream.aggregate, stream.id])
    const sequence = hoped.get(key) ?? model.sequence(stream)
    hoped.set(key, sequence + types.length)
    const events = types.map((type, i) => ({ type, data: { i, of: id }, metadata: { recordedAt }, tags }))
    return commit({
      ...{ stream, expected: exact(expected, sequence), id, recordedAt, events },
      ...(command && { command }),
    })
  })
}

function exact(expected: DrawnCommit['expected'], sequence: number): Commit['expected'] {
  if (typeof expected === 'string') return expected
  return 'ahead' in expected ? Math.max(sequence + expected.ahead, 0) : expected.sequence
}

/** Compares answers without their prototypes. */
export function same(found: unknown, expected: unknown): void {
  assert.deepEqual(plain(found), plain(expected))
}

const plain = (answer: unknown): unknown => (answer === undefined ? answer : JSON.parse(JSON.stringify(answer)))
