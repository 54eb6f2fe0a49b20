/** `mneme projections`, `reactions` and `parked`, as a user runs them, on a log with events that were put aside. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from '../../../../scripts/package.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import { until } from '../../../../test/support/kernel/rig.ts'
import { FormerClinic } from '../../../../test/support/tools/former-clinic.ts'
import type { Ended } from '../../../../test/support/tools/kept-program.ts'
import { contentsOf } from '../../../../test/support/tools/mcp.ts'
import { settled, toolsPlace } from '../../../../test/support/tools/mneme.ts'
import { Orders } from '../../../../test/support/tools/orders.ts'

const theStore = ['--store', 'bank.db', '--domain', join(root, 'test/support/tools/orders.ts')]

/** Three orders, of which the second has an item that nothing can handle. */
async function fill(folder: string): Promise<void> {
  const store = sqlite(join(folder, 'bank.db'))
  const orders = await Orders.start({ store, projections: 'manual', log: { warn: () => {} } })
  for (const [id, item] of ['tea', 'broken', 'tea'].entries()) await orders.order(`o${id + 1}`).place({ item })
  await orders.projections.runOnce('items')
  await orders.reactions.runOnce('reminders')
  await orders.order('o4').place({ item: 'tea' })
  await orders.stop()
}

const values = ({ out }: Ended) =>
  out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))

describe('mneme projections', () => {
  test('shows how far they are, builds rows again, and finds rows that differ', async (t) => {
    const { each, mneme, folder } = await toolsPlace(t)
    await fill(folder)
    const [list, status, unknown, equal] = await each([
      ['projections', ...theStore],
      ['projections', 'status', 'items', '--json', ...theStore],
      ['projections', 'status', 'itmes', ...theStore],
      ['projections', 'compare', 'items', ...theStore],
    ])
    assert.match(list!.out, /^items {2}position 3 of 4, 1 event and [\d.,]+ s behind, 1 parked\n$/)
    const { position, head, parked } = values(status!)[0]
    assert.deepEqual([position, head, parked], [3, 4, 1])
    assert.equal(unknown!.code, 2)
    assert.match(unknown!.err, /nothing named "itmes" here\. It has items\./)
    assert.equal(equal!.code, 0, equal!.err)

    // With other code, the rows would be others.
    const env = { ORDERS_TWICE: 'yes' }
    const differs = await mneme(['projections', 'compare', 'items', '--json', ...theStore], { env })
    const rebuilt = await mneme(['projections', 'rebuild', 'items', ...theStore], { env })
    const [again, after] = await each([
      ['projections', 'compare', 'items', ...theStore],
      ['projections', 'list', ...theStore],
    ])
    const difference = { key: 'tea', live: { count: 2 }, rebuilt: { count: 4 } }
    const found = values(differs)[0]
    assert.deepEqual([differs.code, found.differing, found.differences], [1, 1, [difference]])
    assert.match(rebuilt.out, /^items was rebuilt from \d events, up to position 4\n$/)
    const text = 'different: 1 of 1 row of items at position 4\n  tea: {"count":6} -> {"count":3}\n'
    assert.deepEqual([again!.code, again!.out], [1, text])
    assert.match(after!.out, /^items {2}position 4 of 4, caught up, 1 parked\n$/)
  })
})

describe('mneme reactions and mneme parked', () => {
  test('show what waits, handle it again, and drop it if somebody agrees', async (t) => {
    const { each, mneme, folder } = await toolsPlace(t)
    await fill(folder)
    const [list, waiting, timers, parked, ofOne, unasked, absent, vain] = await each([
      ['reactions', ...theStore],
      ['reactions', 'waiting', 'reminders', ...theStore],
      ['reactions', 'timers', 'reminders', '--json', ...theStore],
      ['parked', ...theStore],
      ['parked', 'list', 'items', '--json', ...theStore],
      ['parked', 'skip', 'items', '2', ...theStore],
      ['parked', 'skip', 'items', '3', '--yes', ...theStore],
      ['parked', 'retry', 'reminders', '--json', ...theStore],
    ])
    assert.match(list!.out, /^reminders {2}position 3 of 4, 1 event and .* behind, 1 parked\n$/)
    assert.equal(
      settled(waiting!.out, folder),
      `     2  order/o2  OrderPlaced  parked since TIME (Error)
     4  order/o4  OrderPlaced  unhandled
     1  order/o1  OrderPlaced  scheduled: remind to order/o1 at TIME
     3  order/o3  OrderPlaced  scheduled: remind to order/o3 at TIME
`,
    )
    assert.deepEqual(
      values(timers!).map(({ key, dueAt, command }) => [key, dueAt, command.name]),
      ['o1', 'o3'].map((key) => [key, '2100-01-01T00:00:00.000Z', 'remind']),
    )
    // The message of an error is on one line, whatever is in it.
    assert.match(parked!.out, /^items {2}2 {2}order\/o2 {2}OrderPlaced {2}since .*\n {2}.*there is no price for broken/)
    assert.match(parked!.out, /\nreminders {2}2 /)
    assert.deepEqual([values(ofOne!).length, values(ofOne!)[0].position], [1, 2])
    assert.equal(unasked!.code, 1)
    assert.match(unasked!.err, /will never handle the event at position 2\. Nobody can be asked\. Give --yes/)
    assert.deepEqual([absent!.code, absent!.out], [1, ''])

    assert.deepEqual(
      [vain!.code, values(vain!)[0]],
      [1, { kind: 'reaction', name: 'reminders', handled: 0, parked: 1 }],
    )
    const works = await mneme(['parked', 'retry', 'reminders', ...theStore], { env: { ORDERS_WORK: 'yes' } })
    assert.deepEqual([works.code, works.out], [0, '1 handled, 0 still parked\n'])
    const [skipped, left] = await each([
      ['parked', 'skip', 'items', '2', '--yes', ...theStore],
      ['parked', ...theStore],
    ])
    assert.deepEqual([skipped!.code, skipped!.out], [0, 'the event at position 2 was dropped\n'])
    assert.deepEqual([left!.out, left!.err], ['', 'Nothing is parked.\n'])
  })

  test('store nothing when they only look, not even where a reaction begins that has never run', async (t) => {
    const { each, folder } = await toolsPlace(t)
    const database = join(folder, 'clinic.db')
    const clinic = await FormerClinic.start({ store: sqlite(database), projections: 'manual', log: { warn: () => {} } })
    await clinic.patient('p1').note({ text: 'fever' })
    await clinic.stop()
    const contents = contentsOf(database)
    const store = ['--store', database, '--domain', join(root, 'test/support/tools/clinic.ts')]
    const [list, json, waiting, timers, parked] = await each([
      ['reactions', ...store],
      ['reactions', '--json', ...store],
      ['reactions', 'waiting', 'later', ...store],
      ['reactions', 'timers', 'later', ...store],
      ['parked', ...store],
    ])
    assert.match(list!.out, /\nlater {2}has never run, begins with what is new then, position 0 of 1\n$/)
    const later = { kind: 'reaction', name: 'later', position: 0, head: 1, beginning: 'now' }
    assert.deepEqual(values(json!)[1], later)
    for (const { code, out, err } of [waiting!, timers!]) {
      assert.deepEqual([code, out, err], [0, '', 'later has never run: what it does depends on when it begins.\n'])
    }
    assert.deepEqual([parked!.code, parked!.err], [0, 'Nothing is parked.\n'])
    assert.equal(contentsOf(database), contents)
  })

  test('leave it to the process that runs them', async (t) => {
    const { mneme, folder } = await toolsPlace(t)
    await fill(folder)
    await using orders = await Orders.start({ store: sqlite(join(folder, 'bank.db')), log: { warn: () => {} } })
    await orders.reactions.progress('reminders', { everyMs: 20 })
    const { code, err } = await mneme(['parked', 'retry', 'reminders', '--json', ...theStore])
    assert.equal(code, 1)
    assert.equal(JSON.parse(err).error.code, 'PROJECTION_ELSEWHERE')
  })

  test('decide about what another process runs: pause it, cancel and send commands, hand parked events back', async (t) => {
    const { each, folder } = await toolsPlace(t)
    await fill(folder)
    const store = sqlite(join(folder, 'bank.db'))
    const options = { store, log: { warn: () => {} }, leaseMs: 2000, pollIntervalMs: 20 }
    await using orders = await Orders.start(options)
    await orders.reactions.progress('reminders', { everyMs: 20 })
    const [before, nothing, unparked, unasked, cancelled, gone, sent, handed, paused, list, unknown] = await each([
      ['reactions', 'timers', 'reminders', '--json', ...theStore],
      ['reactions', 'cancel', 'reminders', '9:0', '--json', ...theStore],
      ['parked', 'skip', 'items', '9', '--json', ...theStore],
      ['reactions', 'cancel', 'reminders', '1:0', ...theStore],
      ['reactions', 'cancel', 'reminders', '1:0', '--yes', ...theStore],
      ['reactions', 'cancel', 'reminders', '1:0', '--yes', '--json', ...theStore],
      ['reactions', 'retry', 'reminders', '3:0', ...theStore],
      ['reactions', 'retry', 'reminders', ...theStore],
      ['projections', 'pause', 'items', ...theStore],
      ['projections', '--json', ...theStore],
      ['reactions', 'pause', 'items', '--json', ...theStore],
    ])
    assert.deepEqual(
      values(before!).map(({ id }) => id),
      ['1:0', '3:0', '4:0'],
    )
    // Nobody is asked about what is not there.
    assert.deepEqual([nothing!.code, JSON.parse(nothing!.err).error.code], [1, 'TIMER_UNKNOWN'])
    assert.deepEqual([unparked!.code, JSON.parse(unparked!.err).error.code], [1, 'PARKED_UNKNOWN'])
    assert.match(unasked!.err, /will never be sent\. Nobody can be asked\. Give --yes/)
    assert.deepEqual([cancelled!.code, cancelled!.out], [0, 'the scheduled command 1:0 was cancelled\n'])
    assert.deepEqual([gone!.code, JSON.parse(gone!.err).error.code], [1, 'TIMER_UNKNOWN'])
    assert.equal(sent!.out, 'the scheduled command 3:0 is due now\n')
    assert.equal(handed!.out, '1 handed back to reminders\n')
    assert.match(paused!.out, /^items {2}position \d of \d, .*paused since \d{4}-.*, 1 parked\n$/)
    assert.equal(typeof values(list!)[0].pausedSince, 'string')
    assert.deepEqual([unknown!.code, JSON.parse(unknown!.err).error.code], [2, 'FOLLOWER_UNKNOWN'])
    await until('o3 is reminded', async () => (await orders.order('o3').state()).reminders === 1)
    await until('it rests', async () => (await orders.projections.status('items')).state === 'paused')
    // The lease is given back a moment later.
    await until('it is skipped', async () => {
      const [skipped] = await each([['parked', 'skip', 'items', '2', '--yes', ...theStore]])
      return skipped!.code === 0
    })
    const [resumed] = await each([['projections', 'resume', 'items', ...theStore]])
    assert.doesNotMatch(resumed!.out, /paused|parked/)
    await orders.projections.progress('items', { everyMs: 20 })
    assert.equal((await orders.order('o1').state()).reminders, 0)
  })
})
