/** Which index serves which query, and how. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type OrderBy, orderingOf } from '../../domain/field-path.ts'
import { planOf } from './index-plan.ts'
import type { Filter } from './query.ts'

const indexes = [['customer', ['placedAt', 'descending']], ['status', 'total', 'customer'], ['total']].map((fields) =>
  orderingOf(fields as OrderBy<any>[]),
)

/** The number of the index, `+` if it gives the order, and the number of ranges; `all` if all rows are looked at. */
function served(filter: Filter<any>, ...orderBy: OrderBy<any>[]): string {
  const plan = planOf(indexes, filter, orderingOf(orderBy))
  return plan === undefined ? 'all' : `${plan.n}${plan.isInOrder ? '+' : ''} ${plan.ranges.length}`
}

describe('An index serves', () => {
  test('values of its first fields, and gives the order of the others', () => {
    assert.equal(served({ where: { customer: 'a' } }, ['placedAt', 'descending']), '0+ 1')
    assert.equal(served({ where: { customer: 'a', total: { gt: 5 } } }, ['placedAt', 'descending']), '0+ 1')
    assert.equal(served({ where: { customer: 'a' } }, 'customer', ['placedAt', 'descending']), '0+ 1')
    assert.equal(served({ where: { status: 'open', total: 5 } }, 'customer'), '1+ 1')
    assert.equal(served({ where: { customer: 'a' }, or: [{ status: 'x' }] }, ['placedAt', 'descending']), '0+ 1')
  })

  test('values of its first fields in another order, which is sorted', () => {
    assert.equal(served({ where: { customer: 'a' } }, 'placedAt'), '0 1')
    assert.equal(served({ where: { customer: 'a' } }), '0 1')
    assert.equal(served({ where: { customer: 'a' } }, ['placedAt', 'descending'], 'total'), '0 1')
    assert.equal(served({ where: { status: 'open' } }, 'customer'), '1 1')
  })

  test('bounds, beginnings and lists of values of the field after them', () => {
    assert.equal(served({ where: { total: { gte: 5, lt: 9 } } }, 'total'), '2+ 1')
    assert.equal(served({ where: { status: 'open', total: { gte: 5 } } }, 'total', 'customer'), '1+ 1')
    assert.equal(served({ where: { customer: { startsWith: 'a' } } }), '0 1')
    assert.equal(served({ where: { status: { in: ['open', 'paid'] } } }), '1 2')
    assert.equal(served({ where: { status: { in: ['open', 'open'] } } }), '1 1')
    assert.equal(served({ where: { status: { in: [] } } }), '1 0')
  })

  test('an order alone, if all rows are wanted', () => {
    assert.equal(served({}, 'total'), '2+ 1')
    assert.equal(served({ where: { total: undefined } }, 'total'), '2+ 1')
    assert.equal(served({ where: { placedAt: 5 } }, 'total'), 'all')
    assert.equal(served({ or: [{ customer: 'a' }] }, 'total'), 'all')
    assert.equal(served({}, ['total', 'descending']), 'all')
    assert.equal(served({}), 'all')
  })

  test('nothing that says little: not a value, parts of a text, a long list', () => {
    assert.equal(served({ where: { total: { not: 5 } } }), 'all')
    assert.equal(served({ where: { customer: { includes: 'a' } } }), 'all')
    assert.equal(served({ where: { status: { in: Array.from({ length: 101 }, (_, i) => i) } } }), 'all')
  })

  test('the query that it narrows most', () => {
    assert.equal(served({ where: { status: 'open', total: 5, customer: 'a' } }), '1+ 1')
    assert.equal(served({ where: { customer: 'a', total: 5 } }), '2+ 1')
    assert.equal(served({ where: { customer: 'a', placedAt: 1, total: 5 } }, 'total'), '0 1')
  })
})
