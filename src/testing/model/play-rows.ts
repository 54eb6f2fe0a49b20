/** Plays steps on the rows, snapshots and leases of a store and on the model, and compares their answers. */
import assert from 'node:assert/strict'
import { hasCode } from '../../domain/error.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { CheckpointPlace, ProjectionStep, RowQuery, Snapshot, Store } from '../../store/store.ts'
import type { StorePlace } from '../conformance/kit.ts'
import { listAll } from '../conformance/row-listing.ts'
import { Caller } from './callers.ts'
import { checkpointConflict, ModelRows } from './model-rows.ts'
import { same } from './play-log.ts'
import { type DrawnSave, type RowStep, rowKeys } from './row-steps.ts'
import type { ChangeOfCaller, StepsOf } from './steps.ts'

type Call = Exclude<RowStep, ChangeOfCaller>

const beginning = { position: 0, term: 0, note: {} }
/** After this time, every lease of a step is over. */
const leaseMsMax = 60_000

/**
 * Plays steps on a fresh place and on the model.
 *
 * @throws AssertionError at the first answer that differs
 */
export async function playRows(
  place: StorePlace,
  steps: readonly RowStep[],
  { injectedClock }: Pick<StepsOf, 'injectedClock'>,
): Promise<void> {
  const caller = new Caller(place)
  try {
    const model = new ModelRows(await orderOf(await caller.store()))
    for (const step of steps) {
      const store = await caller.store()
      if (isChange(step)) {
        await caller.change(step)
        // A store that only one process can open may end leases with the process.
        if (step.kind === 'reopen' && store.singleWriter) await caller.change({ kind: 'wait', durationMs: leaseMsMax })
      } else {
        await compare(store, model, { step, now: caller.now(), injectedClock })
      }
    }
  } finally {
    await caller.end()
  }
}

const isChange = (step: RowStep): step is ChangeOfCaller => ['reopen', 'switch', 'wait'].includes(step.kind)

/** The keys in the store's own order, in which those of ASCII are in the order of their bytes. */
async function orderOf(store: Store): Promise<readonly string[]> {
  const rows = rowKeys.map((key) => ({ key, value: 0 }))
  await store.saveStep('order', { from: beginning, to: beginning, rows })
  const order = (await listAll(store, 'order', { limit: 1000 })).map(({ key }) => key)
  assert.deepEqual([...order].sort(), [...rowKeys].sort())
  const ofAscii = order.filter((key) => /^[ -~]*$/.test(key))
  assert.deepEqual(ofAscii, [...ofAscii].sort())
  return order
}

interface Asked<Asked extends Call = Call> {
  readonly step: Asked
  readonly now: number
  readonly injectedClock: boolean
}

async function compare(store: Store, model: ModelRows, asked: Asked): Promise<void> {
  const { step } = asked
  switch (step.kind) {
    case 'save':
      return compareSave(store, model, step)
    case 'loadCheckpoint':
      return same(await store.loadCheckpoint(step.projection), model.checkpoint(step.projection))
    case 'loadRows':
      return same(await store.loadRows(step.projection, step.keys), model.values(step.projection, step.keys))
    case 'loadRowsWithCheckpoint': {
      const { projection, keys } = step
      const expected = { checkpoint: model.checkpoint(projection), values: model.values(projection, keys) }
      return same(await store.loadRowsWithCheckpoint(projection, keys), expected)
    }
    case 'listRows':
      return compareList(store, model, step)
    case 'resetProjection':
      await store.resetProjection(step.projection)
      return model.reset(step.projection)
    case 'saveSnapshot': {
      const snapshot = snapshotOf(step)
      await store.saveSnapshot(snapshot, { keep: step.keep })
      return model.saveSnapshot(snapshot, step.keep)
    }
    case 'loadSnapshot': {
      const { stream, atOrBefore } = step
      const loaded = await store.loadSnapshot(stream, atOrBefore === undefined ? {} : { atOrBefore })
      return same(loaded, model.loadSnapshot(stream, atOrBefore))
    }
    case 'acquireLease':
      return compareLease(store, model, { ...asked, step })
    case 'releaseLease':
      await store.releaseLease(step.lease, step.owner)
      return model.releaseLease(step.lease, step.owner)
  }
}

async function compareSave(store: Store, model: ModelRows, drawn: DrawnSave): Promise<void> {
  const { projection, as } = drawn
  const step = stepOf(model.checkpoint(projection), drawn)
  const isTransaction = as !== 'step' && store.transact !== undefined
  const fails = isTransaction && as === 'transaction that fails'
  const saving = isTransaction ? transacted(store, projection, step, fails) : store.saveStep(projection, step)
  const result = await saving.then(
    () => 'saved',
    (error: unknown) => {
      if (hasCode(error, checkpointConflict)) return checkpointConflict
      if (error === broken) return 'broken'
      throw error
    },
  )
  if (result === 'broken') assert.ok(fails && isFrom(model.checkpoint(projection), step.from))
  else assert.equal(result, model.save(projection, step))
}

const broken = new Error('The work of this transaction fails')

const transacted = (store: Store, projection: string, step: ProjectionStep, fails: boolean): Promise<void> =>
  store.transact!(projection, step.from, async () => {
    if (fails) throw broken
    return { to: step.to, rows: step.rows }
  })

const isFrom = (checkpoint: CheckpointPlace, from: CheckpointPlace) =>
  checkpoint.position === from.position && checkpoint.term === from.term

/** The step as it is saved. It goes back only if it begins another term. */
function stepOf({ position, term }: CheckpointPlace, drawn: DrawnSave): ProjectionStep {
  const from = {
    there: { position, term },
    before: { position: Math.max(position - 1, 0), term },
    behind: { position: position + 1, term },
    'in another term': { position, term: term + 1 },
  }[drawn.from]
  const forward = drawn.termsUp > 0 ? drawn.forward : Math.abs(drawn.forward)
  return {
    from,
    to: {
      position: Math.max(from.position + forward, 0),
      term: from.term + drawn.termsUp,
      note: drawn.note as JsonObject,
    },
    rows: drawn.rows,
    mayBeLost: drawn.mayBeLost,
  }
}

/** Compares all pages. A store may return rows that do not meet the conditions, but leaves out none that does. */
async function compareList(
  store: Store,
  model: ModelRows,
  { projection, query }: { readonly projection: string; readonly query: RowQuery },
): Promise<void> {
  const found = await listAll(store, projection, query)
  const keys = new Set(found.map(({ key }) => key))
  const { rows, wanted } = model.list(projection, query)
  same(
    found,
    rows.filter(({ key }) => keys.has(key)),
  )
  assert.deepEqual(
    wanted.filter((key) => !keys.has(key)),
    [],
    'rows that meet the conditions were left out',
  )
  if (query.where === undefined || query.where.length === 0) assert.equal(found.length, rows.length)
}

const snapshotOf = ({ stream, sequence, state, keep }: Call & { kind: 'saveSnapshot' }): Snapshot => ({
  ...{
    stream,
    sequence,
    state,
    stateRevision: keep,
    checksum: 2 ** 53 - 1,
    fingerprint: `ä ${keep}`,
    takenAt: sequence,
  },
})

async function compareLease(
  store: Store,
  model: ModelRows,
  { step, now, injectedClock }: Asked<Call & { kind: 'acquireLease' }>,
): Promise<void> {
  const { lease, owner, durationMs } = step
  const found = await store.acquireLease(lease, owner, durationMs)
  const expected = model.acquireLease(lease, owner, { durationMs, now })
  if (injectedClock) same(found, expected)
  else assert.equal(found.owner, expected.owner)
}
