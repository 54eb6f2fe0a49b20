/** Traces in a long log: what has nothing to do with the command is not read, wherever its id comes from. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { commit, memory, type Page, type Store } from '../../../src/index.ts'
import { type CauseNode, traceCauses } from './causes.ts'
import { changedStore } from './changed-store.ts'
import { causePositionIn, timeIn } from './command-place.ts'

const before = 2000

/** A log in which a transfer comes after many events of something else. The store counts the events that it returns. */
async function longLog(t: { after(end: () => Promise<void>): void }, recordedAt: (n: number) => number) {
  const store = await memory().open({ warn: () => {}, now: Date.now })
  t.after(() => store.close())
  const old = Array.from({ length: before }, (_, n) => {
    const stream = { aggregate: 'thing', id: String(n) }
    return commit({
      stream,
      expected: 0,
      id: `c${n}`,
      recordedAt: recordedAt(n),
      events: [{ type: 'Happened', data: n }],
    })
  })
  await store.append(old)
  const lent = { name: store.name, open: async () => changedStore(store, { close: async () => {} }) }
  const bank = await TransferBank.start({ store: lent, projections: 'manual', log: { warn: () => {} } })
  for (const id of ['ada', 'bob']) await bank.account(id).open({ owner: id })
  await bank.account('ada').deposit({ amount: 100 })
  const request = { from: 'ada', to: 'bob', amount: 30 }
  const { events: own } = await bank.transfer('t1').request(request)
  await bank.transfer('t2').request(request, { commandId: 'chosen' })
  await bank.transfer('t3').request(request, { metadata: { correlationId: 'far' } })
  for (let handled = -1, position = 0; handled !== position; ) {
    handled = position
    position = (await bank.reactions.runOnce('moveMoney')).position
  }
  await bank.stop()
  let read = 0
  const counting = changedStore(store, {
    async readAll(...args: Parameters<Store['readAll']>): Promise<Page> {
      const page = await store.readAll(...args)
      read += page.events.length
      return page
    },
  })
  const trace = async (id: string, options?: Parameters<typeof traceCauses>[2]) => {
    read = 0
    const tree = await traceCauses(counting, id, options)
    return { tree, read }
  }
  return { trace, own: own[0]!.commitId }
}

const all = (nodes: readonly CauseNode[]): string[] => nodes.flatMap((node) => [node.commandId, ...all(node.effects)])

test('a trace reads what comes after its beginning, not the log before it', async (t) => {
  const { trace, own } = await longLog(t, (n) => n)
  const whole = await trace(own)
  assert.equal(whole.tree!.commands, 5)
  assert.ok(whole.read < 200, `${whole.read} events were read`)
  const ids = all(whole.tree!.roots)
  assert.equal(ids[0], own)
  assert.ok(causePositionIn(ids.at(-1)!)! > before)
  for (const id of ids) {
    const again = await trace(id)
    assert.deepEqual(again.tree, whole.tree)
    assert.ok(again.read < 200, `${again.read} events were read for ${id}`)
  }
  const [transfer] = whole.tree!.roots
  const chosen = await trace('chosen', { stream: { ...transfer!.stream, id: 't2' } })
  assert.deepEqual([chosen.tree!.commands, chosen.tree!.correlationId], [5, 'chosen'])
  assert.ok(chosen.read < 200, `${chosen.read} events were read`)
  assert.equal((await trace('chosen', { stream: transfer!.stream })).tree, undefined)
  // Bounds that are given are kept, and what lies outside of them is not found.
  assert.ok((await trace('chosen', { from: before })).read < 200)
  assert.equal((await trace(own, { to: before })).tree, undefined)
  assert.equal((await trace('chosen', { stream: { ...transfer!.stream, id: 't2' }, to: before })).tree, undefined)
})

test('what an id does not say, or says wrongly, is found by reading the log', async (t) => {
  // A clock that is far ahead wrote the log before: the times of the ids lead to its beginning, or nowhere.
  for (const recordedAt of [(n: number) => n, (n: number) => 9e12 + n]) {
    const { trace, own } = await longLog(t, recordedAt)
    const { tree } = await trace('chosen')
    assert.deepEqual([tree!.commands, tree!.correlationId], [5, 'chosen'])
    assert.deepEqual((await trace('~move money:2004:withdraw')).tree?.correlationId, own)
    const far = (await trace('far')).tree!
    assert.deepEqual([far.commands, far.correlationId], [5, 'far'])
    for (const id of all(far.roots)) assert.deepEqual((await trace(id)).tree, far)
    assert.equal((await trace(own)).tree!.commands, 5)
    // Ids that look like those of the library, and are of no command here.
    for (const id of ['~move money:2004:gone', '~move money:99999:withdraw', `${own.slice(0, -2)}zz`, '~'.repeat(23)]) {
      assert.equal((await trace(id)).tree, undefined, id)
    }
  }
})

test('an id that the library makes begins with its time', async () => {
  await using bank = await TransferBank.start()
  const before = Date.now()
  const { events } = await bank.account('ada').open({ owner: 'ada' })
  const time = timeIn(events[0]!.commitId)!
  assert.ok(time >= before && time <= Date.now(), `${time} is not the time at which the command was sent`)
  for (const id of ['a request', '~move money:4:withdraw', '~']) assert.equal(timeIn(id), undefined)
})
