/** Who leads, and since when without interruption: by the store's lease, measured by a clock that nobody sets. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watched } from '../../test/kernel/rig.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { Leadership } from './leadership.ts'

const durationMs = 1000

async function leaders() {
  const [watch, environment] = [watched(), manualEnvironment()]
  const store = await watch.store.open({ now: environment.now, warn: () => {} })
  const leader = (owner: string) => new Leadership({ store, environment, name: 'lease', owner, durationMs })
  return { watch, environment, first: leader('first'), second: leader('second') }
}

describe('A lease', () => {
  test('is renewed in time by one whose clock was set back, so that nobody else leads meanwhile', async () => {
    const { environment, watch, first } = await leaders()
    assert.ok(await first.keep())
    environment.setClock('2025-12-31T23:00:00Z')
    await environment.advance(durationMs / 2)
    assert.ok(await first.keep())
    assert.equal(watch.count('acquireLease'), 2)
  })

  test('is held without interruption as long as it is renewed in time', async () => {
    const { environment, first, second } = await leaders()
    await first.keep()
    const { tenure } = first
    for (let i = 0; i < 5; i++) {
      await environment.advance(durationMs * 0.6)
      assert.deepEqual([await first.keep(), await second.keep(), first.tenure], [true, false, tenure])
    }
  })

  test('that was renewed too late was interrupted, whether or not somebody else had it', async () => {
    for (const isTaken of [true, false]) {
      const { environment, first, second } = await leaders()
      await first.keep()
      const { tenure } = first
      await environment.advance(durationMs)
      if (isTaken) {
        assert.ok(await second.keep())
        assert.equal(await first.keep(), false)
        await second.release()
      }
      assert.ok(await first.keep())
      assert.notEqual(first.tenure, tenure)
    }
  })

  test('whose renewal was answered too late was interrupted', async () => {
    const { environment, watch, first } = await leaders()
    await first.keep()
    const { tenure } = first
    await environment.advance(durationMs * 0.6)
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'acquireLease' ? gate.promise : undefined))
    const keeping = first.keep()
    await environment.advance(durationMs)
    gate.resolve()
    assert.deepEqual([await keeping, first.tenure === tenure], [true, false])
  })

  test('is asked for once, however many want to know', async () => {
    const { environment, watch, first } = await leaders()
    await first.keep()
    const { tenure } = first
    await environment.advance(durationMs * 0.6)
    assert.deepEqual(await Promise.all([first.keep(), first.keep(), first.keep()]), [true, true, true])
    assert.deepEqual([watch.count('acquireLease'), first.tenure], [2, tenure])
  })

  test('that is doubted is asked for, and was interrupted', async () => {
    const { watch, first } = await leaders()
    await first.keep()
    const { tenure } = first
    first.doubt()
    assert.ok(await first.keep())
    assert.deepEqual([watch.count('acquireLease'), first.tenure === tenure], [2, false])
  })
})
