/**
 * Checks the log against what callers were told: no caller got an error, every answer was right at some moment between
 * call and answer, each "yes" is stored once and nothing else is, and the epochs of a stream never go down. Transfers
 * have one end each and the steps of that end, once and in order. So the money in all vaults is what callers of vaults
 * have put into them and taken from them.
 */
import assert from 'node:assert/strict'
import type { RecordedEvent, StoreFactory } from '../../../src/index.ts'
import { type Call, judge } from '../linearizability/checker.ts'
import type { Asked, Callers, Told } from './callers.ts'
import { TransfersRead } from './transfers.ts'

type Transfers = Callers['transfers']

/** What the events of vaults and transfers hold. */
interface Data {
  readonly amount: number
  /** In a vault: the transfer that it is a step of. */
  readonly transfer?: string
  readonly why?: 'TooLittle' | 'TooMuch'
}

/** An event of a vault, and what the vault holds after it. */
interface Change {
  readonly event: RecordedEvent
  readonly change: number
  readonly balance: number
}

export async function checkTold(store: StoreFactory, { told, transfers }: Callers): Promise<void> {
  assert.deepEqual([...failed(told), ...failedTransfers(transfers)], [], 'no caller gets an error')
  const events = await everyEvent(store)
  checkEpochs(events)
  assert.deepEqual(wrongTransfers(events, transfers), [], 'a transfer has one end, and its steps happened once')
  const changes = changesOf(events)
  const total = [...changes.values()].reduce((sum, of) => sum + of.at(-1)!.balance, 0)
  assert.equal(total, totalOf(told), 'transfers neither make money nor lose it')
  const calls = Map.groupBy(
    [
      ...[...told].map((one) => ({ id: one[1].id, call: callOf(one) })),
      ...[...changes.values()].flat().flatMap((change) => stepOf(change, transfers)),
      ...events.flatMap((event) => noOf(event, transfers)),
    ],
    ({ id }) => id,
  )
  assert.deepEqual(
    [...changes.keys()].filter((id) => !calls.has(id)),
    [],
  )
  for (const [id, of] of calls) {
    const log = (changes.get(id) ?? []).map(({ event, change }) => ({ commandId: event.commitId, change }))
    const wrong = judge(
      of.map(({ call }) => call),
      log,
    )
    assert.deepEqual(wrong, [], id)
  }
}

const failed = (told: Callers['told']): readonly string[] =>
  [...told].flatMap(([commandId, { answer }]) =>
    answer.answer === 'error' ? [`${commandId} after ${Math.round(answer.tookMs)} ms: ${answer.why}`] : [],
  )

const failedTransfers = (transfers: Transfers): readonly string[] =>
  [...transfers].flatMap(([id, { over }]) =>
    over === undefined ? [`${id} has no end`] : 'why' in over ? [`${id}: ${over.why}`] : [],
  )

async function everyEvent(store: StoreFactory): Promise<readonly RecordedEvent[]> {
  await using bank = await TransfersRead.start({ store })
  const head = await bank.head()
  const events: RecordedEvent[] = []
  while (events.length < head) {
    for await (const event of bank.events({ after: { position: events.length } })) {
      events.push(event)
      if (events.length >= head) break
    }
  }
  return events
}

/** The events of a transfer and of its steps. */
export async function eventsOfTransfer(store: StoreFactory, id: string): Promise<readonly RecordedEvent[]> {
  const events = await everyEvent(store)
  return events.filter(({ stream, data }) => stream.id === id || (data as Data).transfer === id)
}

function checkEpochs(events: readonly RecordedEvent[]): void {
  const epochs = new Map<string, number>()
  for (const { stream, metadata } of events) {
    const of = `${stream.aggregate} ${stream.id}`
    const epoch = metadata['clusterEpoch'] as number
    assert.ok(epoch >= (epochs.get(of) ?? 0), `epoch ${epoch} of ${of} after ${epochs.get(of)}`)
    epochs.set(of, epoch)
  }
}

/** What was put into each vault and taken from it, in order. */
function changesOf(events: readonly RecordedEvent[]): ReadonlyMap<string, readonly Change[]> {
  const changes = new Map<string, Change[]>()
  for (const event of events) {
    if (event.stream.aggregate !== 'vault') continue
    const { id } = event.stream
    const of = changes.get(id) ?? []
    const { amount } = event.data as Data
    const change = event.type === 'Put' ? amount : -amount
    of.push({ event, change, balance: (of.at(-1)?.balance ?? 0) + change })
    changes.set(id, of)
  }
  return changes
}

/** What callers of vaults have put in and taken out, together. */
function totalOf(told: Callers['told']): number {
  const changes = [...told.values()].map(({ name, amount, answer }) =>
    answer.answer !== 'yes' ? 0 : name === 'put' ? amount : -amount,
  )
  return changes.reduce((sum, change) => sum + change, 0)
}

// -- transfers -----------------------------------------------------------------------------------------------------

/** Compares all that the log has of each transfer with what it must have, by the end that its caller was told. */
function wrongTransfers(events: readonly RecordedEvent[], transfers: Transfers): readonly string[] {
  const logged = Map.groupBy(
    events.filter(({ stream, data }) => stream.aggregate === 'transfer' || (data as Data).transfer !== undefined),
    ({ stream, data }) => (data as Data).transfer ?? stream.id,
  )
  const ids = new Set([...transfers.keys(), ...logged.keys()])
  return [...ids].flatMap((id) => {
    const of = logged.get(id) ?? []
    const found = of.map(wordOf)
    const asked = transfers.get(id)
    const wanted = asked === undefined ? [] : wantedOf(id, asked, of)
    return found.join() === wanted.join() ? [] : [`${id}: ${found.join(', ')}; it should be ${wanted.join(', ')}`]
  })
}

function wantedOf(id: string, { from, to, amount, over }: Asked, of: readonly RecordedEvent[]): readonly string[] {
  const started = `TransferStarted ${id}`
  const taken = `Taken ${from} ${amount}`
  const isCompleted = over !== undefined && 'end' in over && over.end === 'completed'
  if (isCompleted) return [started, taken, `Put ${to} ${amount}`, `TransferCompleted ${id}`]
  const refused = `TransferRefused ${id}`
  const isTooMuch = of.some(({ data }) => (data as Data).why === 'TooMuch')
  return isTooMuch ? [started, taken, `Put ${from} ${amount}`, refused] : [started, refused]
}

const wordOf = ({ type, stream, data }: RecordedEvent): string =>
  stream.aggregate === 'vault' ? `${type} ${stream.id} ${(data as Data).amount}` : `${type} ${stream.id}`

// -- for the judge of histories ------------------------------------------------------------------------------------

interface CallOfVault {
  readonly id: string
  readonly call: Call
}

function callOf([commandId, { name, amount, calledAt, answeredAt, answer }]: readonly [string, Told]): Call {
  const balance = answer.amount!
  const kind = ({ yes: 'stored', no: 'rejected', nothing: 'nothing', error: 'failed' } as const)[answer.answer]
  return {
    commandId,
    name: name === 'put' ? 'deposit' : amount === 0 ? 'look' : 'withdraw',
    amount,
    calledAt,
    answered: {
      at: answeredAt,
      answer: kind === 'stored' ? { kind, sequence: answer.sequence!, balance } : { kind, balance },
    },
  }
}

/** A step of a transfer: the reaction called it after the transfer was asked for, and before its end was told. */
function stepOf({ event, change, balance }: Change, transfers: Transfers): readonly CallOfVault[] {
  const { stream, sequence, commitId, data } = event
  const asked = transfers.get((data as Data).transfer ?? '')
  if (asked === undefined) return []
  const name = change > 0 ? 'deposit' : 'withdraw'
  const answered = { at: asked.over!.at, answer: { kind: 'stored', sequence, balance } } as const
  const call = { commandId: commitId, name, amount: Math.abs(change), calledAt: asked.calledAt, answered } as const
  return [{ id: stream.id, call }]
}

/** The "no" of a vault that had too little for a transfer. */
function noOf({ stream, data }: RecordedEvent, transfers: Transfers): readonly CallOfVault[] {
  const asked = stream.aggregate === 'transfer' ? transfers.get(stream.id) : undefined
  const { why, amount: balance } = data as Data
  if (asked === undefined || why !== 'TooLittle') return []
  const { from, amount, calledAt, over } = asked
  const answered = { at: over!.at, answer: { kind: 'rejected', balance } } as const
  return [{ id: from, call: { commandId: `no to ${stream.id}`, name: 'withdraw', amount, calledAt, answered } }]
}
