/**
 * A projection or reaction that handles other events than the program before, under the same name and revision. Either
 * the revision was not raised, or two services use one name in one store. That is noticed before anything wrong is done
 * or read.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import {
  type AnyEventKind,
  aggregate,
  domain,
  event,
  projection,
  reaction,
  type StartOptions,
} from '../../src/index.ts'
import { codesOf, recorder, until } from '../support/kernel/rig.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const Bought = event('Bought', z.object({ amount: z.number() }))
const Sold = event('Sold', z.object({ amount: z.number() }))
const Lent = event('Lent', z.object({ amount: z.number() }))
const Noted = event('Noted', z.object({ text: z.string() }))

const amount = z.object({ amount: z.number() })
const Share = aggregate('share', () => ({}))
  .on(Bought)
  .on(Sold)
  .on(Lent)
  .command('buy', amount, (_, data) => Bought(data))
  .command('sell', amount, (_, data) => Sold(data))
  .command('lend', amount, (_, data) => Lent(data))
const Note = aggregate('note', () => ({ texts: [] as readonly string[] }))
  .on(Noted, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .command('write', z.object({ text: z.string() }), (_, data) => Noted(data))

interface Program extends Pick<StartOptions, 'store' | 'log' | 'projections' | 'leaseMs'> {
  readonly kinds: readonly AnyEventKind[]
  readonly revision?: number
  /** Another value makes other functions. */
  readonly sign?: string
}

type Fold = (row: { readonly seen: readonly string[] }, amount: number, type: string) => { readonly seen: string[] }
const plus: Fold = ({ seen }, amount, type) => ({ seen: [...seen, `${type} ${amount}`] })

/** Rows, code and a reaction that do the same: they list events of some kinds. */
function program({ kinds, revision = 1, sign = '', ...start }: Program) {
  const seen: string[] = []
  let rows = projection('rows', () => ({ seen: [] as readonly string[] })) as any
  let noting = reaction('noting', { note: Note }) as any
  // Two functions with different texts, because the texts are compared.
  const fold = sign === '' ? (row: any, data: any, e: any) => plus(row, data.amount, e.type) : foldWithSign(sign)
  const write = sign === '' ? (e: any, tools: any) => note(e, tools, '') : noteWithSign(sign)
  for (const kind of kinds) {
    rows = rows.on(kind, fold)
    noting = noting.on(kind, write)
  }
  const code = projection('code').handle(kinds, (events: readonly any[]) => {
    seen.push(...events.map(({ type, data }) => `${type} ${data.amount}`))
  })
  const projections = { rows: rows.single().revision(revision), code }
  const all = domain({ aggregates: { share: Share, note: Note }, projections, reactions: { noting } })
  const options = { projections: 'manual', log: recorder(), leaseMs: 1000, pollIntervalMs: 5, ...start } as const
  return all
    .start(options)
    .then((running: any) => Object.assign(Object.create(running), { seen, recorded: options.log }))
}

const note = (e: any, { dispatch }: any, sign: string) =>
  dispatch({ aggregate: 'note', id: 'n', name: 'write', data: { text: `${sign}${e.type} ${e.data.amount}` } })
const foldWithSign = (sign: string) => (row: any, data: any, e: any) => plus(row, data.amount, sign + e.type)
const noteWithSign = (sign: string) => (e: any, tools: any) => note(e, tools, sign)

const names = [
  ['projections', 'rows'],
  ['projections', 'code'],
  ['reactions', 'noting'],
] as const

const runAll = (running: any) => codesOf(names.map(([side, name]) => running[side].runOnce(name)))
const statesOf = async (running: any) =>
  (await Promise.all(names.map(([side, name]) => running[side].status(name)))).map(({ state }) => state)
const rowsOf = async (running: any) => (await running.rows.state())?.seen
const notesOf = async (running: any) => (await running.note('n').state()).texts
const failureOf = async (running: any, name: 'rows' | 'code') =>
  (await running.projections.status(name)).failure as { code?: string; message?: string } | undefined

await onEveryStore('A definition that was changed without a new revision', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  /** The old program, after it has handled two events. */
  async function before(t: any, kinds: readonly AnyEventKind[]) {
    const store = await place(t)
    const old = await program({ store, kinds })
    await old.share('s').buy({ amount: 1 })
    await old.share('s').sell({ amount: 2 })
    assert.deepEqual(await runAll(old), ['ok', 'ok', 'ok'])
    await old.stop()
    return store
  }

  test('is refused if it handles kinds with earlier events; a new revision, or a rebuild, makes complete rows', async (t) => {
    const store = await before(t, [Bought])
    const changed = await program({ store, kinds: [Bought, Sold] })
    await changed.share('s').sell({ amount: 3 })
    // Before anything has run, the rows are not read either.
    assert.deepEqual(await codesOf([changed.rows.state()]), ['PROJECTION_CHANGED'])
    assert.deepEqual(await runAll(changed), ['PROJECTION_CHANGED', 'PROJECTION_CHANGED', 'ok'])
    const failure = await failureOf(changed, 'rows')
    assert.equal(failure?.code, 'PROJECTION_CHANGED')
    assert.match(failure?.message ?? '', /only this program handles share Sold/)
    assert.deepEqual(changed.seen, [], 'the code saw nothing')
    await changed.stop()
    const raised = await program({ store, kinds: [Bought, Sold], revision: 2 })
    assert.equal((await runAll(raised))[0], 'ok')
    assert.deepEqual(await rowsOf(raised), ['Bought 1', 'Sold 2', 'Sold 3'])
    await raised.stop()
    const rebuilt = await program({ store, kinds: [Bought, Sold, Noted], revision: 2 })
    assert.equal((await runAll(rebuilt))[0], 'PROJECTION_CHANGED')
    await rebuilt.projections.rebuild('rows')
    assert.equal((await rowsOf(rebuilt)).length, 5, 'with the two that the reaction has noted')
    await rebuilt.stop()
  })

  test('is accepted if the events that it now handles have never happened', async (t) => {
    const store = await before(t, [Bought])
    await using changed = await program({ store, kinds: [Bought, Lent] })
    await changed.share('s').lend({ amount: 3 })
    assert.deepEqual(await runAll(changed), ['ok', 'ok', 'ok'])
    assert.deepEqual(await rowsOf(changed), ['Bought 1', 'Lent 3'])
    assert.deepEqual(changed.seen, ['Lent 3'])
    assert.deepEqual(await notesOf(changed), ['Bought 1', 'Lent 3'])
    assert.deepEqual(changed.recorded.codes(), [])
  })

  test('is accepted if those events happened only before it began', async (t) => {
    const store = await place(t)
    const old = await program({ store, kinds: [Bought] })
    await old.share('s').lend({ amount: 1 })
    const { position } = await old.share('s').sell({ amount: 2 })
    for (const name of ['rows', 'code']) await old.projections.start(name, { from: position + 1 })
    const bought = await old.share('s').buy({ amount: 3 })
    await old.code.reached({ atLeast: bought.position })
    assert.deepEqual((await old.rows.state({ atLeast: bought.position })).seen, ['Bought 3'])
    await old.stop()
    await using changed = await program({ store, kinds: [Bought, Sold] })
    await changed.share('s').sell({ amount: 4 })
    assert.deepEqual((await runAll(changed)).slice(0, 2), ['ok', 'ok'])
    assert.deepEqual(await rowsOf(changed), ['Bought 3', 'Sold 4'])
    assert.deepEqual(changed.seen, ['Sold 4'])
    await changed.projections.reset('code', { from: bought.position })
    await changed.stop()
    await using again = await program({ store, kinds: [Bought, Sold, Lent] })
    assert.deepEqual((await runAll(again)).slice(0, 2), ['ok', 'ok'])
    assert.deepEqual(again.seen, ['Bought 3', 'Sold 4'])
  })

  test('is refused if it no longer handles events that were handled; reset says where to continue', async (t) => {
    const store = await before(t, [Bought, Sold])
    await using changed = await program({ store, kinds: [Sold] })
    const { position } = await changed.share('s').buy({ amount: 3 })
    await changed.share('s').sell({ amount: 4 })
    assert.deepEqual(await runAll(changed), ['PROJECTION_CHANGED', 'PROJECTION_CHANGED', 'PROJECTION_CHANGED'])
    assert.match((await failureOf(changed, 'code'))?.message ?? '', /does not handle share Bought\./)
    await changed.projections.reset('code', { from: 1 })
    await changed.reactions.reset('noting', { from: position, keep: true })
    assert.deepEqual((await runAll(changed)).slice(1), ['ok', 'ok'])
    assert.deepEqual(changed.seen, ['Sold 2', 'Sold 4'])
    assert.deepEqual(await notesOf(changed), ['Bought 1', 'Sold 2', 'Sold 4'])
    // Rows are made by all of their events.
    assert.deepEqual(await codesOf([changed.projections.reset('rows', { from: 2 })]), ['OPTION_INVALID'])
    // Nor can one begin where the log has not come yet.
    const beyond = { from: (await changed.projections.status('code')).head + 2 }
    const begin = [changed.projections.reset('code', beyond), changed.reactions.start('noting', beyond)]
    assert.deepEqual(await codesOf(begin), ['OPTION_INVALID', 'OPTION_INVALID'])
    await changed.projections.rebuild('rows')
    assert.deepEqual(await rowsOf(changed), ['Sold 2', 'Sold 4'])
  })

  test('only in its functions causes a warning, and is accepted', async (t) => {
    const store = await before(t, [Bought])
    await using changed = await program({ store, kinds: [Bought], sign: '-' })
    await changed.share('s').buy({ amount: 3 })
    assert.deepEqual(await runAll(changed), ['ok', 'ok', 'ok'])
    assert.deepEqual(await rowsOf(changed), ['Bought 1', '-Bought 3'])
    assert.deepEqual(
      changed.recorded.codes(),
      ['PROJECTION_DIFFERS', 'PROJECTION_DIFFERS'],
      'of rows and of the reaction',
    )
  })

  testHere('may be another service with the same names: the second one fails, the first continues', async (t) => {
    const store = await place(t)
    await using first = await program({ store, kinds: [Bought], projections: 'automatic' })
    await first.share('s').buy({ amount: 1 })
    await until('the first one leads', async () => (await statesOf(first)).every((state) => state === 'running'))
    await until('it has noted', async () => (await notesOf(first)).length === 1)
    await using second = await program({ store, kinds: [Sold], projections: 'automatic' })
    await until('the second one has ended', async () => (await statesOf(second)).every((state) => state === 'failed'))
    assert.deepEqual(second.recorded.codes(), ['PROJECTION_STOPPED', 'PROJECTION_STOPPED', 'PROJECTION_STOPPED'])
    await second.share('s').sell({ amount: 2 })
    const { position } = await first.share('s').buy({ amount: 3 })
    assert.deepEqual((await first.rows.state({ atLeast: position }))?.seen, ['Bought 1', 'Bought 3'])
    assert.deepEqual(await codesOf([second.rows.state(), second.rows.state({ atLeast: 1 })]), [
      'PROJECTION_CHANGED',
      'PROJECTION_CHANGED',
    ])
    assert.deepEqual(await statesOf(first), ['running', 'running', 'running'])
    await until('it has noted that too', async () => (await notesOf(first)).length === 2)
    // When the first one has ended, the second does not take its rows over.
    await first.stop()
    await second.projections.start('rows')
    await until('it has ended again', async () => (await statesOf(second)).every((state) => state === 'failed'))
    assert.deepEqual(second.seen, [])
    assert.deepEqual(await notesOf(second), ['Bought 1', 'Bought 3'])
  })

  testHere('is noticed while it stands by for a program that passes over events which it handles', async (t) => {
    const store = await place(t)
    await using first = await program({ store, kinds: [Bought], projections: 'automatic', leaseMs: 5000 })
    await first.share('s').buy({ amount: 1 })
    await until('the first one leads', async () => (await statesOf(first)).every((state) => state === 'running'))
    await using second = await program({ store, kinds: [Bought, Sold], projections: 'automatic' })
    await until('the second stands by', async () => (await statesOf(second)).every((state) => state === 'standby'))
    const { position } = await second.share('s').sell({ amount: 2 })
    await first.rows.state({ atLeast: position })
    // A slow machine may first hear that the rows are behind. Rows are never the answer.
    const isNoticed = async () => {
      const [code] = await codesOf([second.rows.state({ atLeast: position })])
      assert.notEqual(code, 'ok')
      return code === 'PROJECTION_CHANGED'
    }
    await until('it is noticed', isNoticed)
    await first.code.reached({ atLeast: position })
    await first.stop()
    const both = async () => (await statesOf(second)).slice(0, 2).every((state) => state === 'failed')
    await until('neither goes on behind what was passed over', both)
    assert.deepEqual(second.seen, [])
  })

  testHere('causes a warning while it stands by for a program with other functions', async (t) => {
    const store = await place(t)
    await using first = await program({ store, kinds: [Bought], projections: 'automatic', leaseMs: 60_000 })
    await until('the first one leads', async () => (await statesOf(first)).every((state) => state === 'running'))
    await using second = await program({ store, kinds: [Bought], sign: '-', projections: 'automatic', leaseMs: 60_000 })
    const isSaid = () => second.recorded.codes().filter((code: string) => code === 'PROJECTION_DIFFERS').length >= 2
    await until('it is said', isSaid)
    assert.deepEqual(await statesOf(second), ['standby', 'standby', 'standby'])
  })
})
