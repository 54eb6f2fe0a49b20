import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder, startVaults, watched } from '../../test/support/kernel/rig.ts'
import type { Warning } from '../runtime/warning.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { WarningLimit } from './warning-limit.ts'

function limited() {
  const told: Warning[] = []
  const environment = manualEnvironment()
  const limit = new WarningLimit((warning) => told.push(warning), environment)
  /** What was told since the last call. */
  const news = () =>
    told.splice(0).map(({ message, others }) => (others === undefined ? message : `${message} ${others}`))
  return { environment, limit, news }
}

const repeated = (message: string): Warning => ({ code: 'APPEND_REPEATED', message })

describe('The limit of warnings', () => {
  test('the first of a kind is told at once, and then one a second, with the number of the others', async () => {
    const { environment, limit, news } = limited()
    for (const message of ['a', 'b', 'c', 'd']) limit.warn(repeated(message))
    assert.deepEqual(news(), ['a'])
    await environment.advance(999)
    assert.deepEqual(news(), [])
    await environment.advance(1)
    assert.deepEqual(news(), ['d (and 2 more like this are not shown) 2'])
    await environment.advance(500)
    limit.warn(repeated('e'))
    await environment.advance(499)
    assert.deepEqual(news(), [])
    await environment.advance(1)
    assert.deepEqual(news(), ['e'])
    await environment.advance(1000)
    limit.warn(repeated('f'))
    assert.deepEqual(news(), ['f'])
  })

  test('other codes, and other projections, are other kinds', () => {
    const { limit, news } = limited()
    limit.warn(repeated('a'))
    limit.warn({ code: 'AGGREGATE_NOT_LOADED', message: 'b' })
    limit.warn({ code: 'PROJECTION_PARKED', message: 'c', follower: 'projection one' })
    limit.warn({ code: 'PROJECTION_PARKED', message: 'd', follower: 'projection two' })
    limit.warn({ code: 'PROJECTION_PARKED', message: 'e', follower: 'projection two' })
    assert.deepEqual(news(), ['a', 'b', 'c', 'd'])
  })

  test('each event that is skipped is told', () => {
    const { limit, news } = limited()
    for (const message of ['a', 'b', 'c'])
      limit.warn({ code: 'PROJECTION_SKIPPED', message, follower: 'projection one' })
    assert.deepEqual(news(), ['a', 'b', 'c'])
  })

  test('the end tells what was held back, and holds nothing back', async () => {
    const { environment, limit, news } = limited()
    for (const message of ['a', 'b', 'c']) limit.warn(repeated(message))
    limit.end()
    assert.deepEqual(news(), ['a', 'c (and 1 more like this are not shown) 1'])
    limit.warn(repeated('d'))
    limit.warn(repeated('e'))
    assert.deepEqual(news(), ['d', 'e'])
    await environment.advance(5000)
    assert.deepEqual([news(), environment.timers], [[], 0])
  })
})

describe('In an outage', () => {
  test('hundreds of aggregates that cannot be loaded are a few lines, which count them all; an observer gets each', async () => {
    const { store, disturb } = watched()
    const log = recorder()
    let observed = 0
    const observe = ({ kind }: { readonly kind: string }) => {
      if (kind === 'warning') observed++
    }
    const vaults = await startVaults({ store, log, observe: { observe }, limits: { loadTriesMax: 1 } })
    disturb(({ method }) => (method === 'readStream' || method === 'loadSnapshot' ? 'before' : undefined))
    const startedAt = performance.now()
    const adds = Array.from({ length: 400 }, (_, i) => vaults.vault(`v${i}`).add({ amount: 1 }))
    for (const { status } of await Promise.allSettled(adds)) assert.equal(status, 'rejected')
    await vaults.stop()
    const seconds = Math.ceil((performance.now() - startedAt) / 1000)
    assert.equal(log.count('AGGREGATE_NOT_LOADED'), 400)
    assert.equal(observed, 400)
    assert.ok(log.messages.length <= 2 + seconds, `${log.messages.length} lines in ${seconds} s`)
  })
})
