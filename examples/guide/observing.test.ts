/** The code of docs/guide/observing.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, memory, type Observation, reaction } from '../../src/index.ts'
import { Account, Deposited } from '../bank/account.ts'
import { Bank } from '../bank/bank.ts'

test('commands are counted and measured', async () => {
  // #region metrics
  const counts = new Map<string, number>()
  const slow: string[] = []

  function observe(observed: Observation): void {
    if (observed.kind !== 'command ended') return
    const { outcome, tookMs, waitedMs = 0 } = observed
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    if (tookMs > 1000) slow.push(`${tookMs} ms, of which it waited ${waitedMs} ms`)
  }

  await using bank = await Bank.start({ store: memory(), observe })
  // #endregion
  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('ada').try.withdraw({ amount: 1 })
  await bank
    .account('ada')
    .deposit({ amount: -1 })
    .catch(() => {})
  assert.deepEqual(
    [...counts],
    [
      ['accepted', 1],
      ['rejected', 1],
      ['failed', 1],
    ],
  )
  assert.deepEqual(slow, [])
})

// #region spans
interface Span {
  readonly name: string
  readonly parent: Span | undefined
  readonly startMs: number
  endMs?: number
  error?: unknown
}

/** Builds spans from observations: what telemetry libraries take. */
function tracer() {
  const spans: Span[] = []
  const open = new Map<number, Span>()
  const begin = (id: number, name: string, startMs: number, parent?: number) => {
    const span: Span = { name, startMs, parent: parent === undefined ? undefined : open.get(parent) }
    spans.push(span)
    open.set(id, span)
  }
  const end = (id: number, endMs: number, error: unknown) => {
    Object.assign(open.get(id)!, { endMs, error })
    open.delete(id)
  }
  const observe = (observed: Observation) => {
    const { kind, atMs } = observed
    if (kind === 'command started') begin(observed.span, observed.command, atMs, observed.parent)
    if (kind === 'reaction started') begin(observed.span, `${observed.reaction} on ${observed.type}`, atMs)
    if (kind === 'command ended' || kind === 'reaction ended') end(observed.span, atMs, observed.error)
    if (kind === 'decision') {
      const { parent, command, tookMs } = observed
      spans.push({ name: `decide ${command}`, parent: open.get(parent), startMs: atMs - tookMs, endMs: atMs })
    }
  }
  return { spans, observe }
}
// #endregion

test('spans are built from observations', async () => {
  const Fees = reaction('fees', { account: Account }).on(Deposited, async ({ stream, data }, { dispatch }) => {
    if (data.amount > 100)
      await dispatch({ aggregate: 'account', id: stream.id, name: 'withdraw', data: { amount: 1 } })
  })
  const Charging = domain({ aggregates: { account: Account }, reactions: { fees: Fees } })
  const { spans, observe } = tracer()
  await using bank = await Charging.start({ store: memory(), projections: 'manual', observe })
  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('ada').deposit({ amount: 500 })
  await bank.reactions.runOnce('fees')
  assert.deepEqual(
    spans.map(({ name, parent }) => [name, parent?.name]),
    [
      ['open', undefined],
      ['decide open', 'open'],
      ['deposit', undefined],
      ['decide deposit', 'deposit'],
      ['fees on MoneyDeposited', undefined],
      ['withdraw', 'fees on MoneyDeposited'],
      ['decide withdraw', 'withdraw'],
    ],
  )
  assert.ok(spans.every(({ startMs, endMs, error }) => endMs! >= startMs && error === undefined))
})

test('a trace goes on through the log', async () => {
  const traces: unknown[] = []
  const observe = (observed: Observation) => {
    if (observed.kind === 'command started') traces.push(observed.metadata['traceparent'])
  }
  await using bank = await Bank.start({ store: memory(), observe })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  // #region trace
  await bank.account('ada').open({ owner: 'Ada' }, { metadata: { traceparent } })
  // #endregion
  assert.deepEqual(traces, [traceparent])
})

test('warnings have levels', async () => {
  const lines: string[] = []
  // #region levels
  const log = {
    info: (message: string) => lines.push(`info: ${message}`),
    warn: (message: string) => lines.push(`warn: ${message}`),
    error: (message: string) => lines.push(`error: ${message}`),
  }
  await using bank = await Bank.start({ store: memory(), log })
  // #endregion
  await bank.account('ada').open({ owner: 'Ada' })
  assert.deepEqual(lines, [])
})
