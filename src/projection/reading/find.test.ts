/** Rows by their fields, single states, several rows for an event, and deleted rows, on a running domain. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection } from '../../index.ts'

const Moved = event('Moved', z.object({ from: z.string(), to: z.string(), amount: z.int() }))
const Closed = event('Closed', z.object({ owner: z.string() }))

const Ledger = aggregate('ledger', () => ({}))
  .on(Moved)
  .on(Closed)
  .command('move', z.object({ from: z.string(), to: z.string(), amount: z.int() }), (_, move) => Moved(move))
  .command('close', z.object({ owner: z.string() }), (_, owner) => Closed(owner))

type Row = { balance: number; moves: number; since: Date | undefined; note?: string }

const Owners = projection('owners', (): Row => ({ balance: 0, moves: 0, since: undefined }))
  .on(Moved, (row, { amount }, { recordedAt }) => ({
    ...row,
    balance: row.balance + amount,
    moves: row.moves + 1,
    since: row.since ?? recordedAt,
  }))
  .on(Closed, () => undefined)
  .by((event) => (event.type === 'Moved' ? [event.data.from, event.data.to] : event.data.owner))

const Total = projection('total', () => ({ moved: 0 }))
  .on(Moved, ({ moved }, { amount }) => ({ moved: moved + amount }))
  .single()

const Books = domain({ aggregates: { ledger: Ledger }, projections: { owners: Owners, total: Total } })

async function books() {
  const running = await Books.start()
  const move = async (from: string, to: string, amount: number) =>
    (await running.ledger('main').move({ from, to, amount })).position
  return { running, move }
}

describe('A projection', () => {
  test('changes several rows for one event, each once', async () => {
    const { running, move } = await books()
    await move('ada', 'bob', 5)
    const atLeast = await move('bob', 'bob', 2)
    assert.deepEqual((await running.owners.get('ada', { atLeast }))?.balance, 5)
    assert.deepEqual((await running.owners.get('bob'))?.balance, 7)
    assert.deepEqual((await running.owners.get('bob'))?.moves, 2)
    await running.stop()
  })

  test('deletes a row by returning undefined, and begins it again with the next event', async () => {
    const { running, move } = await books()
    await move('ada', 'bob', 5)
    const { position } = await running.ledger('main').close({ owner: 'ada' })
    assert.equal(await running.owners.get('ada', { atLeast: position }), undefined)
    const atLeast = await move('ada', 'bob', 1)
    assert.equal((await running.owners.get('ada', { atLeast }))?.balance, 1)
    await running.stop()
  })

  test('may be a single state, which is the initial one before the first event', async () => {
    const { running, move } = await books()
    assert.deepEqual(await running.total.state(), { moved: 0 })
    const atLeast = (await move('ada', 'bob', 5)) && (await move('bob', 'ada', 3))
    assert.deepEqual(await running.total.state({ atLeast }), { moved: 8 })
    await running.stop()
  })
})

describe('find', () => {
  const filled = async () => {
    const { running, move } = await books()
    let atLeast = 0
    for (let i = 1; i <= 30; i++) atLeast = await move(`o${String(i).padStart(2, '0')}`, 'bank', i)
    return { running, wait: { atLeast } }
  }
  const keys = (found: readonly { readonly key: string }[]) => found.map(({ key }) => key)

  test('gives rows in the order of their keys, up to a limit', async () => {
    const { running, wait } = await filled()
    assert.deepEqual(keys(await running.owners.find({ limit: 3 }, wait)), ['bank', 'o01', 'o02'])
    assert.equal((await running.owners.find()).length, 31)
    assert.deepEqual(await running.owners.find({ limit: 0 }), [])
    await running.stop()
  })

  test('compares fields: equal, above, below, one of, not', async () => {
    const { running, wait } = await filled()
    const { owners } = running
    assert.deepEqual(keys(await owners.find({ where: { balance: 7 } }, wait)), ['o07'])
    assert.deepEqual(keys(await owners.find({ where: { balance: { gt: 28, lte: 30 } } })), ['o29', 'o30'])
    assert.deepEqual(keys(await owners.find({ where: { balance: { lt: 3 } } })), ['o01', 'o02'])
    assert.deepEqual(keys(await owners.find({ where: { balance: { in: [1, 5, 99] } } })), ['o01', 'o05'])
    assert.deepEqual(keys(await owners.find({ where: { moves: { not: 1 } } })), ['bank'])
    assert.deepEqual(keys(await owners.find({ where: { note: 'x' } })), [])
    await running.stop()
  })

  test('compares dates by their time', async () => {
    const { running, wait } = await filled()
    const later = new Date(Date.now() + 60_000)
    assert.equal((await running.owners.find({ where: { since: { lt: later } } }, wait)).length, 31)
    assert.equal((await running.owners.find({ where: { since: { gte: later } } })).length, 0)
    const since = (await running.owners.get('o01'))?.since
    assert.ok((await running.owners.find({ where: { since: since as Date } })).length >= 1)
    await running.stop()
  })

  test('orders by a field, either way', async () => {
    const { running, wait } = await filled()
    const { owners } = running
    const top = await owners.find({ orderBy: 'balance', direction: 'descending', limit: 3 }, wait)
    assert.deepEqual(keys(top), ['bank', 'o30', 'o29'])
    assert.deepEqual(keys(await owners.find({ orderBy: 'balance', limit: 2 })), ['o01', 'o02'])
    assert.deepEqual(top[0]?.row.balance, 465)
    await running.stop()
  })

  test('refuses an invalid limit or direction', async () => {
    const { running } = await books()
    await assert.rejects(running.owners.find({ limit: -1 }), { code: 'OPTION_INVALID' })
    await assert.rejects(running.owners.find({ direction: 'up' as never }), { code: 'OPTION_INVALID' })
    await running.stop()
  })

  describe('refuses what is probably a misspelt operator', () => {
    type Kept = {
      total: number
      name: string
      since: Date | undefined
      address: { city: string; less?: number }
      result: 'pending' | { score: number }
      range: { greater: number } | undefined
      extra?: number
    }
    const Kinds = projection(
      'kinds',
      (): Kept => ({
        total: 0,
        name: '',
        since: undefined,
        address: { city: '' },
        result: 'pending',
        range: undefined,
      }),
    )
      .on(Moved, (row, { amount, to }, { recordedAt }) => ({
        total: amount,
        name: to,
        since: recordedAt,
        address: { city: to },
        result: { score: amount },
        range: { greater: amount },
        extra: row.total,
      }))
      .by((event) => event.data.from)
    const started = async () => {
      const running = await domain({ aggregates: { ledger: Ledger }, projections: { kinds: Kinds } }).start()
      const { position } = await running.ledger('main').move({ from: 'ada', to: 'bob', amount: 5 })
      return { running, find: (where: object) => running.kinds.find({ where } as never, { atLeast: position }) }
    }

    const mistaken: Record<string, [where: object, option: string, nearest?: string]> = {
      'of a number, as MongoDB writes it': [{ total: { $gt: 3 } }, '$gt', 'gt'],
      'of a number, in another word': [{ total: { greater: 3 } }, 'greater', 'gt'],
      'of a number, that no library has': [{ total: { bigger: 3 } }, 'bigger'],
      'of a number, as a list of bounds would be': [{ total: { min: 1, max: 3 } }, 'min', 'gte'],
      'of a text': [{ name: { startsWith: 'b' } }, 'startsWith'],
      'of a field that is not there at first': [{ since: { $gte: new Date() } }, '$gte', 'gte'],
      'of a field that is not there at first, in another word': [
        { since: { less_than: new Date() } },
        'less_than',
        'lt',
      ],
      'of a field that only some rows have': [{ extra: { $lt: 3 } }, '$lt', 'lt'],
      'within not': [{ total: { not: { $in: [1] } } }, '$in', 'in'],
      'beside one that there is': [{ total: { gte: 1, $lt: 3 } }, '$lt', 'lt'],
      'left out': [{ total: {} }, 'where.total'],
      'with a record as its bound': [{ total: { gt: { value: 3 } } }, 'where.total.gt'],
      'with a list as its bound': [{ total: { lte: [3] } }, 'where.total.lte'],
    }
    for (const [what, [where, option, nearest]] of Object.entries(mistaken)) {
      test(what, async () => {
        const { running, find } = await started()
        await assert.rejects(find(where), (error: any) => {
          assert.equal(error.code, 'OPTION_INVALID')
          assert.deepEqual([error.facts.option, error.facts.nearest], [option, nearest])
          if (!option.startsWith('where.total.')) assert.match(error.message, /gt, gte, lt, lte, not, in/)
          return true
        })
        await running.stop()
      })
    }

    test('before it waits for a position, and even if there are no rows', async () => {
      const { running } = await started()
      const where = { total: { $gt: 3 } } as never
      await assert.rejects(running.kinds.find({ where }, { atLeast: 10_000 }), { code: 'OPTION_INVALID' })
      await running.stop()
    })

    test('and lets a record be equal to a field that holds records', async () => {
      const { running, find } = await started()
      const count = async (where: object) => (await find(where)).length
      assert.equal(await count({ address: { city: 'bob' } }), 1)
      assert.equal(await count({ address: { city: 'bob', less: 1 } }), 0)
      assert.equal(await count({ address: { not: { city: 'bob' } } }), 0)
      assert.equal(await count({ result: { in: [{ score: 5 }] } }), 1)
      assert.equal(await count({ range: { in: [{ greater: 5 }] } }), 1)
      await running.stop()
    })
  })
})
