/** The clock that a test controls. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DefinitionError } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { settled } from '../support/kernel/rig.ts'

describe('A manual environment', () => {
  test('stands still until it is moved', async () => {
    const environment = manualEnvironment({ now: '2030-01-01T00:00:00Z' })
    let rang = false
    environment.after(0, () => {
      rang = true
    })
    await settled()
    assert.ok(!rang)
    assert.equal(environment.now(), Date.UTC(2030, 0, 1))
    await environment.advance(0)
    assert.ok(rang)
    assert.equal(environment.now(), Date.UTC(2030, 0, 1))
  })

  test('runs timers in the order in which they are due, each at its own time', async () => {
    const environment = manualEnvironment()
    const start = environment.now()
    const seen: string[] = []
    const note = (name: string) => () => seen.push(`${name} at ${environment.now() - start}`)
    environment.after(30, note('c'))
    environment.after(10, note('a'))
    environment.after(20, note('b1'))
    environment.after(20, note('b2'))
    environment.after(31, note('late'))
    await environment.advance(30)
    assert.deepEqual(seen, ['a at 10', 'b1 at 20', 'b2 at 20', 'c at 30'])
    assert.equal(environment.timers, 1)
  })

  test('lets the work of a timer run before the next timer, and runs timers that are set meanwhile', async () => {
    const environment = manualEnvironment()
    const seen: string[] = []
    environment.after(10, async () => {
      for (let i = 0; i < 50; i++) await undefined
      seen.push('the work of the first')
      environment.after(5, () => seen.push('a timer of the first'))
      environment.defer(() => environment.defer(() => seen.push('what the first put off')))
    })
    environment.after(20, () => seen.push('the second'))
    await environment.advance(20)
    assert.deepEqual(seen, ['the work of the first', 'what the first put off', 'a timer of the first', 'the second'])
  })

  test('forgets a timer that is cancelled, also by another that is due at the same time', async () => {
    const environment = manualEnvironment()
    let rang = false
    environment.after(10, () => cancel())
    const cancel = environment.after(10, () => {
      rang = true
    })
    await environment.advance(10)
    assert.ok(!rang)
    assert.equal(environment.timers, 0)
  })

  test('gives the same random numbers for the same seed, and ids that are counted', () => {
    const [one, same, other] = [1, 1, 2].map((seed) => manualEnvironment({ seed }))
    const draw = ({ random }: { random(): number }) => Array.from({ length: 100 }, () => random())
    const drawn = draw(one!)
    assert.deepEqual(drawn, draw(same!))
    assert.notDeepEqual(drawn, draw(other!))
    for (const number of drawn) assert.ok(number >= 0 && number < 1)
    assert.deepEqual([one!.newId(), one!.newId(), same!.newId()], ['id-1', 'id-2', 'id-1'])
    assert.equal(same!.newCommandId(), `~${'2'.padStart(22, '0')}`)
  })

  test('can have its clock set, which does not affect timers', async () => {
    const environment = manualEnvironment({ now: '2030-01-01T00:00:00Z' })
    let rang = false
    environment.after(10, () => {
      rang = true
    })
    environment.setClock('2029-01-01T00:00:00Z')
    await environment.advance(9)
    assert.ok(!rang)
    await environment.advance(1)
    assert.ok(rang)
    assert.equal(environment.now(), Date.UTC(2029, 0, 1) + 10)
  })

  test('does not go backwards, and refuses an invalid time', async () => {
    const environment = manualEnvironment()
    for (const durationMs of [-1, Number.NaN]) await assert.rejects(environment.advance(durationMs), DefinitionError)
    assert.throws(() => manualEnvironment({ now: 'tomorrow' }), DefinitionError)
  })
})
