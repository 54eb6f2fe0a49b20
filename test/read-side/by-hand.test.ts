/**
 * What somebody decides about a reaction in another process than the one that runs it: scheduled commands are cancelled
 * or sent at once, and parked events are handed back.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { aggregate, domain, event, reaction, type StartOptions } from '../../src/index.ts'
import { codesOf, until } from '../support/kernel/rig.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const Asked = event('Asked', z.object({ ring: z.number() }))
const Rung = event('Rung', z.object({ ring: z.number() }))
const Bell = aggregate('bell', () => ({ rings: [] as readonly number[] }))
  .on(Asked)
  .on(Rung, ({ rings }, { ring }) => ({ rings: [...rings, ring] }))
  .command('ask', z.object({ ring: z.number() }), (_, data) => Asked(data))
  .command('ring', z.object({ ring: z.number() }), (_, data) => Rung(data))

const far = new Date('2200-01-01T00:00:00Z')

/** Rings that cannot be rung at present. The handlings of each process are counted. */
const bells = (sick: Set<number>, handled: number[]) =>
  domain({
    aggregates: { bell: Bell },
    reactions: {
      ringing: reaction('ringing', { bell: Bell })
        .on(Asked, ({ data: { ring }, stream: { id } }, { schedule }) => {
          handled.push(ring)
          if (sick.has(ring)) throw new RangeError(`ring ${ring} fails`)
          schedule({ aggregate: 'bell', id, name: 'ring', data: { ring } }, far, { key: `ring ${ring}` })
        })
        .onFailure({ retries: 0, giveUp: 'park' }),
    },
  })

await onEveryStore('From another process', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  testHere('scheduled commands are cancelled and sent, and parked events handed back', async (t) => {
    const [store, sick] = [await place(t), new Set([2, 3])]
    const [here, there]: [number[], number[]] = [[], []]
    const options: StartOptions = { store, log: { warn: () => {} }, pollIntervalMs: 20, leaseMs: 1000 }
    await using leading = await bells(sick, here).start(options)
    await using outside = await bells(sick, there).start({ ...options, projections: 'manual' })
    // The last one queues behind the third.
    for (const ring of [1, 2, 3, 4, 5, 6]) await outside.bell(`b${ring === 6 ? 3 : ring}`).ask({ ring })
    const timers = async () => (await outside.reactions.timers('ringing')).timers
    const rings = async () => (await timers()).map(({ command }) => (command.data as { ring: number }).ring)
    await until('all are scheduled or parked', async () => (await outside.reactions.status('ringing')).position === 6)
    assert.deepEqual(await rings(), [1, 4, 5])
    const [first, second] = await timers()
    await outside.reactions.cancelTimer('ringing', first!.id)
    const again = [outside.reactions.cancelTimer('ringing', first!.id), outside.reactions.sendTimer('ringing', '9:9')]
    assert.deepEqual(await codesOf(again), ['TIMER_UNKNOWN', 'TIMER_UNKNOWN'])
    assert.deepEqual(await codesOf([outside.reactions.cancelTimer('ringing', 'x')]), ['OPTION_INVALID'])
    assert.deepEqual(await rings(), [4, 5])
    await outside.reactions.sendTimer('ringing', second!.id)
    await until('it is sent', async () => (await outside.bell('b4').state()).rings.length === 1)
    await until('its timer is gone', async () => (await rings()).length === 1)

    sick.delete(2)
    assert.equal(await outside.reactions.handBack('ringing'), 3)
    // If the lease has ended meanwhile, the process that takes over hands back the rest.
    await until('one is handled, and two are parked again', async () => {
      const parked = await outside.reactions.parked('ringing')
      return parked.every(({ keys }) => keys.length > 0) && parked.map(({ position }) => position).join() === '3,6'
    })
    assert.deepEqual(await rings(), [2, 5])
    // Only the process that runs it has handled anything, and what it has done once it has not done again.
    assert.deepEqual([there, here.filter((ring) => ring !== 3)], [[], [1, 2, 4, 5, 2]])
    assert.deepEqual((await leading.bell('b4').state()).rings, [4])
    assert.equal((await outside.reactions.timers('ringing')).timers[0]!.key, 'ring 2')
  })
})
