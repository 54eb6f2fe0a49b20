/**
 * A domain in which things go wrong: a projection and a reaction put events aside that name a switch which is off, and
 * a reaction schedules commands. The switch is a variable of the environment, so another run can turn it on. Another
 * one makes the projection count differently, as changed code would.
 */
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction } from '../../../src/index.ts'

const Placed = event('OrderPlaced', z.object({ item: z.string() }))
const Reminded = event('OrderReminded', z.object({}))

const Order = aggregate('order', () => ({ item: '', reminders: 0 }))
  .on(Placed, (order, { item }) => ({ ...order, item }))
  .on(Reminded, (order) => ({ ...order, reminders: order.reminders + 1 }))
  .command('place', z.object({ item: z.string() }), (_, { item }) => Placed({ item }))
  .command('remind', z.object({}), () => Reminded())

function check(item: string): void {
  if (item === 'broken' && process.env['ORDERS_WORK'] !== 'yes') throw new Error(`there is no\nprice for ${item}`)
}

const Items = projection('items', () => ({ count: 0 }))
  .on(Placed, (row, { item }) => {
    check(item)
    return { count: row.count + (process.env['ORDERS_TWICE'] === 'yes' ? 2 : 1) }
  })
  .by((event) => (event.data as { item: string }).item)
  .onFailure({ giveUp: 'park' })

const Reminders = reaction('reminders', { order: Order })
  .on(Placed, async ({ stream: { id }, data: { item } }, { schedule }) => {
    check(item)
    const dueAt = new Date('2100-01-01T00:00:00Z')
    schedule({ aggregate: 'order', id, name: 'remind' }, dueAt, { key: id })
  })
  .onFailure({ retries: 0, giveUp: 'park' })

export const Orders = domain({
  aggregates: { order: Order },
  projections: { items: Items },
  reactions: { reminders: Reminders },
})
