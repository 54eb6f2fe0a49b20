/**
 * Opens a bank after a crash, as a user would, and looks at everything: the log against the ledger, the rows of the
 * projection against a fold up to its checkpoint, the snapshots, the states. Then it repeats what was left without an
 * answer, lets the projection catch up, and looks again.
 */
import assert from 'node:assert/strict'
import { Balances } from '../../../examples/bank/balances.ts'
import { Bank } from '../../../examples/bank/bank.ts'
import { everything, type Store, type StoredEvent, type StoreFactory } from '../../../src/index.ts'
import { isOwnKey } from '../../../src/projection/stored/row-key.ts'
import { listAll } from '../../../src/testing/conformance/row-listing.ts'
import type { AccountSoFar, Ledger } from './ledger.ts'
import type { BankCommand } from './writer-protocol.ts'

type RunningBank = Awaited<ReturnType<typeof Bank.start>>
type BalanceRow = ReturnType<typeof Balances.initial>

/** What may be said after a crash and under full load; any other warning is a finding. */
const expectedWarnings = /\[(TORN_TAIL_CUT|LOCK_TAKEN_OVER|INDEX_REBUILT|DURABILITY_WEAKENED),/

/** Fails on a warning that neither a crash nor full load explains. */
export function checkWarning(message: string): void {
  assert.ok(expectedWarnings.test(message), `no crash explains this warning: ${message}`)
}

const readLog = async (store: Store): Promise<readonly StoredEvent[]> =>
  (await store.readAll(everything, { limit: Number.POSITIVE_INFINITY })).events

/**
 * Looks at everything and leaves the bank closed.
 *
 * @param onOpened is told where the log ends, before anything is checked
 */
export async function inspect(
  factory: StoreFactory,
  ledger: Ledger,
  onOpened: (head: number) => void = () => {},
): Promise<void> {
  let store: Store | undefined
  const open: StoreFactory['open'] = async (options) => {
    store = await factory.open(options)
    return store
  }
  const bank = await Bank.start({
    store: { name: factory.name, open },
    snapshotEvery: 5,
    projections: 'manual',
    log: { warn: checkWarning },
  })
  try {
    onOpened(await store!.head())
    await inspectRunning(bank, store!, ledger)
  } finally {
    await bank.stop()
  }
}

async function inspectRunning(bank: RunningBank, store: Store, ledger: Ledger): Promise<void> {
  const found = await readLog(store)
  const before = ledger.check(found)
  await checkSnapshots(store, found, before)
  await checkRowsSoFar(bank, store)

  await Promise.all(ledger.unanswered().map((command) => repeat(bank, ledger, command)))
  assert.deepEqual(ledger.unanswered(), [], 'every repeated command is answered')
  const events = await readLog(store)
  const accounts = ledger.check(events)
  for (const [id, { balance }] of accounts) {
    const state = await bank.account(id).state()
    assert.deepEqual(state, { status: 'open', balance }, `the state of ${id} is the fold of its events`)
  }
  const { position } = await bank.projections.runOnce('balances')
  assert.equal(position, events.length, 'the projection comes to the end of the log')
  await checkRows(bank, store, events)
}

async function repeat(bank: RunningBank, ledger: Ledger, command: BankCommand): Promise<void> {
  const { commandId } = command
  const outcome = await bank.try.dispatch(command)
  if (!outcome.accepted) return ledger.hear({ say: 'rejected', commandId })
  const { sequence, position, state } = outcome
  ledger.hear({ say: 'acknowledged', commandId, sequence, position, balance: state.balance })
}

/** Each account's newest snapshot is of an event that is there, and is the fold up to it. */
async function checkSnapshots(
  store: Store,
  events: readonly StoredEvent[],
  accounts: ReadonlyMap<string, AccountSoFar>,
): Promise<void> {
  const balances = new Map<string, number>()
  const history = new Map<string, number>()
  for (const { stream, sequence, type, data } of events) {
    const { amount = 0 } = data as { readonly amount?: number }
    const balance = (balances.get(stream.id) ?? 0) + (type === 'MoneyWithdrawn' ? -amount : amount)
    balances.set(stream.id, balance)
    history.set(`${stream.id} ${sequence}`, balance)
  }
  for (const [id, { sequence: last }] of accounts) {
    const snapshot = await store.loadSnapshot({ aggregate: 'account', id })
    if (snapshot === undefined) continue
    const { sequence, state } = snapshot
    assert.ok(sequence <= last, `the snapshot of ${id} at ${sequence} is not behind its last event at ${last}`)
    const expected = { status: 'open', balance: history.get(`${id} ${sequence}`) }
    assert.deepEqual(state, expected, `the snapshot of ${id} at ${sequence} is the fold up to there`)
  }
}

/**
 * The rows are those up to the checkpoint. A server may still do what a killed process has asked it for, so if the
 * checkpoint moved meanwhile, it is another look that counts.
 */
async function checkRowsSoFar(bank: RunningBank, store: Store): Promise<void> {
  for (;;) {
    const { position: checkpoint } = await store.loadCheckpoint('balances')
    const events = await readLog(store)
    assert.ok(
      checkpoint <= events.length,
      `the checkpoint ${checkpoint} is not behind the log's end at ${events.length}`,
    )
    try {
      return await checkRows(bank, store, events.slice(0, checkpoint))
    } catch (error) {
      if ((await store.loadCheckpoint('balances')).position === checkpoint) throw error
    }
  }
}

/** The rows are exactly those that the events of accounts make. A property without a value is not stored. */
export async function checkRows(
  bank: Pick<RunningBank, 'balances'>,
  store: Store,
  events: readonly StoredEvent[],
): Promise<void> {
  const expected = new Map<string, BalanceRow>()
  for (const event of events) {
    const recorded = { ...event, recordedAt: new Date(event.recordedAt) } as unknown as Parameters<
      typeof Balances.evolve
    >[1]
    const { id } = event.stream
    expected.set(id, Balances.evolve(expected.get(id), recorded)!)
  }
  const stored = await listAll(store, 'balances', { limit: 1000 })
  const listed = stored.filter(({ key }) => !isOwnKey(key))
  assert.deepEqual(listed.map(({ key }) => key).sort(), [...expected.keys()].sort(), 'there is a row for each account')
  for (const [id, row] of expected) {
    const { lastMovement, ...rest } = row
    const stored = lastMovement === undefined ? rest : row
    assert.deepEqual(
      await bank.balances.get(id),
      stored,
      `the row of ${id} is the fold up to position ${events.length}`,
    )
  }
}
