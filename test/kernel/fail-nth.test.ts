/**
 * The first call to the store fails, then the second, and so on, until a run ends before its fault. Each fails once
 * before and once after its effect. After every run, all callers must have got true answers.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode, memory, OutcomeUnknownError } from '../../src/index.ts'
import type { StoredEvent, StoreFactory } from '../../src/store/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { type ManualEnvironment, manualEnvironment } from '../../src/testing/manual-environment.ts'
import { logOf, type RunningVaults, recorder, settled, stands, startVaults } from '../support/kernel/rig.ts'
import { sized } from '../support/size.ts'

/** The answer that a caller got. Amounts are unique, so they identify a command in the log. */
interface Told {
  readonly id: string
  readonly amount: number
  readonly answer: 'accepted' | 'refused' | 'unknown'
}

const commandIdOf = (amount: number) => `c${amount}`

/** Moves the clock until a promise has settled, because retries and back-offs wait for it. */
async function inTime<T>(environment: ManualEnvironment, work: Promise<T>): Promise<T> {
  for (let turn = 0; (await stands(work)) === 'pending'; turn++) {
    assert.ok(turn < 500, 'a caller was left without an answer')
    await environment.advance(500)
  }
  return work
}

/** Sends an amount with a unique id, and returns the answer. A refusal must be certain that nothing was stored. */
async function add(vaults: RunningVaults, id: string, amount: number): Promise<Told> {
  try {
    const outcome = await vaults.vault(id).add({ amount }, { commandId: commandIdOf(amount) })
    assert.equal(outcome.state.amounts[outcome.sequence - 1], amount, 'an answer shows the state after its command')
    assert.equal(outcome.events[0]!.position, outcome.position)
    return { id, amount, answer: 'accepted' }
  } catch (error) {
    assert.ok(!(error instanceof assert.AssertionError), String(error))
    if (error instanceof OutcomeUnknownError) return { id, amount, answer: 'unknown' }
    assert.ok(hasCode(error, 'AGGREGATE_LOAD_FAILED') || hasCode(error, 'CONFLICT'), `not an answer: ${error}`)
    return { id, amount, answer: 'refused' }
  }
}

/**
 * Several vaults, repeated ids, rejections and snapshots in one kernel, and a second kernel that writes the same
 * streams.
 */
async function work(
  faulty: StoreFactory,
  plain: StoreFactory,
  environment: ManualEnvironment,
): Promise<readonly Told[]> {
  const options = { environment, log: recorder(), snapshotEvery: 3, limits: { appendTriesMax: 2, loadTriesMax: 1 } }
  const starting = (): Promise<RunningVaults> =>
    startVaults({ ...options, store: faulty, projections: 'automatic', passivateAfterMs: 100 }).catch(starting)
  const vaults = await starting()
  const rival = await startVaults({ ...options, store: plain })
  const told: Promise<Told>[] = []
  for (let round = 0; round < 4; round++) {
    for (const id of ['a', 'b', 'c']) {
      const amount = told.length + 1
      told.push(add(vaults, id, amount), add(vaults, id, amount), add(vaults, id, amount + 1))
      // The details of a rejection are not checked here: the rival may have changed the state since.
      vaults
        .vault(id)
        .take({ amount: 10 ** 6 }, { commandId: `no ${amount}` })
        .catch(() => {})
    }
    await settled()
    await inTime(environment, rival.vault('b').add({ amount: 1000 + round }))
    if (round === 1) await environment.advance(1000)
  }
  const all = await inTime(environment, Promise.all(told))
  await inTime(environment, rival.stop())
  await inTime(
    environment,
    vaults.stop().catch(() => {}),
  )
  return all
}

/** Asserts what must be true for every log, whatever failed. */
function checkLog(log: readonly StoredEvent[]): void {
  const sequences = new Map<string, number>()
  for (const [i, { position, sequence, stream }] of log.entries()) {
    assert.equal(position, i + 1)
    assert.equal(sequence, (sequences.get(stream.id) ?? 0) + 1)
    sequences.set(stream.id, sequence)
  }
}

const timesIn = (log: readonly StoredEvent[], { id, amount }: Told) =>
  log.filter(({ stream, data }) => stream.id === id && (data as { amount: number }).amount === amount).length

/**
 * Asserts that every answer was true, and that a command with an unknown outcome gets a true answer when it is
 * repeated.
 */
async function checkAnswers(store: StoreFactory, told: readonly Told[], environment: ManualEnvironment): Promise<void> {
  const before = await logOf(store)
  checkLog(before)
  for (const each of told) {
    const others = told.filter(
      ({ amount, id, answer }) => amount === each.amount && id === each.id && answer !== 'refused',
    )
    if (each.answer === 'accepted') assert.equal(timesIn(before, each), 1)
    else if (others.length === 0) assert.equal(timesIn(before, each), 0)
    else assert.ok(timesIn(before, each) <= 1)
  }
  const vaults = await startVaults({ store, environment })
  // A stream may still be reserved for a writer whose release failed.
  for (const each of told) {
    assert.equal((await inTime(environment, add(vaults, each.id, each.amount))).answer, 'accepted')
  }
  // The lease of the projection may also still be held, because its release failed.
  await inTime(environment, vaults.projections.runOnce('totals'))
  const after = await logOf(store)
  checkLog(after)
  assert.deepEqual(after.slice(0, before.length), before, 'the log only grows')
  for (const each of told) assert.equal(timesIn(after, each), 1)
  for (const id of ['a', 'b', 'c']) {
    const amounts = after
      .filter(({ stream }) => stream.id === id)
      .map(({ data }) => (data as { amount: number }).amount)
    const balance = amounts.reduce((sum, amount) => sum + amount, 0)
    assert.deepEqual(await vaults.totals.get(id), { balance, events: amounts.length })
    assert.deepEqual((await vaults.vault(id).look()).state, { balance, amounts })
  }
  await vaults.stop()
}

describe('When the nth call to the store fails', () => {
  for (const fault of ['before', 'after'] as const) {
    for (const burst of [1, 4]) {
      const what = burst === 1 ? '' : ', and the three after it,'
      test(`${fault} its effect${what} every caller gets a true answer, for every n`, async (t) => {
        let met = true
        let n = 0
        for (n = 1; met; n += sized(1, 3)) {
          met = false
          const plain = memory()
          const faulty = faultyStore(plain, ({ total, method }) => {
            if (total < n || total >= n + burst || method === 'close') return undefined
            met = true
            return fault
          })
          const environment = manualEnvironment({ seed: n })
          try {
            await checkAnswers(plain, await work(faulty, plain, environment), environment)
          } catch (cause) {
            throw new Error(`with n = ${n}`, { cause })
          }
        }
        t.diagnostic(`${n - 1} runs`)
        assert.ok(n > 50, `only ${n} calls were made`)
      })
    }
  }
})
