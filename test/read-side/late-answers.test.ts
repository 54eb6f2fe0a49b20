/** Answers of the store that come late do not make a process believe, or tell, what is no longer so. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memory } from '../../src/index.ts'
import { stands } from '../support/kernel/rig.ts'
import { startRows } from '../support/read-side/pots.ts'
import { heldStore } from '../support/stores/held-store.ts'

describe('Rows that another process has rebuilt', () => {
  test('do not answer a reader who waits for a later position, though this process has handled it', async () => {
    const place = memory()
    const [here, there] = [heldStore(place), heldStore(place)]
    await using pots = await startRows({ store: here.store, projections: 'automatic' })
    await pots.rows.get('a', { atLeast: (await pots.pot('a').put({ amount: 1 })).position })
    await using other = await startRows({ store: there.store })
    const isSwitch = (name: string, { rows }: { rows: readonly { value: object }[] }) =>
      name === 'generations rows' && !('building' in rows[0]!.value)
    const switching = there.hold('question', 'saveStep', isSwitch)
    const tidying = there.hold('question', 'loadCheckpoint', (name: string) => name === 'rows')
    const rebuilding = other.projections.rebuild('rows')
    await switching.isThere
    // The rebuilt rows have only the first event. This process has both in the rows that are still live.
    const { position } = await pots.pot('a').put({ amount: 2 })
    await pots.rows.get('a', { atLeast: position })
    switching.release()
    await tidying.isThere
    // This process learns that other rows are live, and does not know yet how far they are.
    const looking = here.hold('answer', 'loadCheckpoint', (name: string) => name.startsWith('rebuilt'))
    const missing = pots.rows.get('b')
    await looking.isThere
    const found = pots.rows.get('a', { atLeast: position })
    looking.release()
    assert.deepEqual(await found, { amounts: [1, 2] })
    assert.equal(await missing, undefined)
    tidying.release()
    await rebuilding
  })
})

describe('A reader who waits for a position', () => {
  test('is not answered because of an older look, which saw the checkpoint before it was reset elsewhere', async () => {
    const place = memory()
    const { store, hold } = heldStore(place)
    await using pots = await startRows({ store: place })
    await using other = await startRows({ store })
    assert.equal(await other.rows.get('a'), undefined)
    const { position } = await pots.pot('a').fill({ amounts: [1, 2] })
    await pots.projections.runOnce('rows')
    const looking = hold('answer', 'loadCheckpoint', (name: string) => name === 'rows')
    const first = other.rows.get('a', { atLeast: position })
    await looking.isThere
    await pots.projections.reset('rows', { from: 1 })
    const again = hold('answer', 'loadCheckpoint', (name: string) => name === 'rows')
    const second = other.rows.get('a', { atLeast: position })
    looking.release()
    await again.isThere
    assert.equal(await stands(second), 'pending')
    again.release()
    await pots.projections.runOnce('rows')
    // A process that does not run it looks only if it is asked to.
    await other.projections.status('rows')
    assert.deepEqual(await second, { amounts: [1, 2] })
    // It asked before the reset, so it may have read before or after it.
    await first
  })
})

const isRecord = (name: string) => name === 'generations rows'

describe('A rebuild', () => {
  test('is not disturbed by the beginning of an earlier one that the store gets late', async () => {
    const { store, hold, lose } = heldStore(memory())
    await using pots = await startRows({ store })
    await pots.pot('a').put({ amount: 1 })
    const lost = lose('saveStep', isRecord)
    await assert.rejects(Promise.resolve(pots.projections.rebuild('rows')), { code: 'STORE_UNAVAILABLE' })
    const beginning = hold('question', 'saveStep', isRecord)
    const rebuilding = pots.projections.rebuild('rows')
    await beginning.isThere
    await lost.deliver()
    beginning.release()
    assert.equal((await rebuilding).position, 1)
    assert.deepEqual(await pots.rows.get('a'), { amounts: [1] })
  })

  test('is not refused because of an earlier one whose lease the store did not get back, or gave it late', async () => {
    const { store, lose } = heldStore(memory())
    await using pots = await startRows({ store })
    await pots.pot('a').put({ amount: 1 })
    const isLease = (name: string) => name === 'rebuild rows'
    lose('releaseLease', isLease)
    await pots.projections.rebuild('rows')
    const { deliver } = lose('acquireLease', isLease)
    await assert.rejects(Promise.resolve(pots.projections.rebuild('rows')), { code: 'STORE_UNAVAILABLE' })
    await deliver()
    await pots.projections.rebuild('rows')
    assert.deepEqual(await pots.rows.get('a'), { amounts: [1] })
  })

  test('is not refused because of one that was refused late, and whose lease nobody has', async () => {
    const { store, hold, lose } = heldStore(memory())
    await using pots = await startRows({ store })
    await pots.pot('a').put({ amount: 1 })
    const isLease = (name: string) => name === 'rebuild rows'
    lose('releaseLease', isLease)
    const building = hold('question', 'loadCheckpoint', (name: string) => name.startsWith('rebuilt'))
    const first = pots.projections.rebuild('rows')
    await building.isThere
    const asking = hold('answer', 'acquireLease', isLease)
    const second = Promise.resolve(pots.projections.rebuild('rows'))
    await asking.isThere
    building.release()
    await first
    asking.release()
    await assert.rejects(second, { code: 'REBUILD_RUNNING' })
    await pots.projections.rebuild('rows')
    assert.deepEqual(await pots.rows.get('a'), { amounts: [1] })
  })
})
