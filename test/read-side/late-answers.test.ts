/** Answers of the store that come late do not make a process believe, or tell, what is no longer so. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memory } from '../../src/index.ts'
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
