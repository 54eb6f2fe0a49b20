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

type Row = {
  balance: number
  moves: number
  odd: boolean
  last: string
  most: { amount: number; with: string }
  since: Date | undefined
  note: string | undefined
}

const begin: Row = {
  ...{ balance: 0, moves: 0, odd: false, last: '', most: { amount: 0, with: '' } },
  ...{ since: undefined, note: undefined },
}
const Owners = projection('owners', () => begin)
  .on(Moved, (row, { amount, from, to }, { recordedAt }) => ({
    ...row,
    balance: row.balance + amount,
    moves: row.moves + 1,
    odd: (row.balance + amount) % 2 === 1,
    last: `${from}>${to}`,
    most: row.most.amount > amount ? row.most : { amount, with: from },
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
  const keys = ({ rows }: { readonly rows: readonly { readonly key: string }[] }) => rows.map(({ key }) => key)

  test('gives rows in the order of their keys, up to a limit', async () => {
    const { running, wait } = await filled()
    assert.deepEqual(keys(await running.owners.find({ limit: 3 }, wait)), ['bank', 'o01', 'o02'])
    assert.equal((await running.owners.find()).rows.length, 31)
    assert.deepEqual((await running.owners.find({ limit: 0 })).rows, [])
    await running.stop()
  })

  test('compares fields: equal, above, below, one of, not, begins with, includes', async () => {
    const { running, wait } = await filled()
    const { owners } = running
    assert.deepEqual(keys(await owners.find({ where: { balance: 7 } }, wait)), ['o07'])
    assert.deepEqual(keys(await owners.find({ where: { balance: { gt: 28, lte: 30 } } })), ['o29', 'o30'])
    assert.deepEqual(keys(await owners.find({ where: { balance: { lt: 3 } } })), ['o01', 'o02'])
    assert.deepEqual(keys(await owners.find({ where: { balance: { in: [1, 5, 99] } } })), ['o01', 'o05'])
    assert.deepEqual(keys(await owners.find({ where: { moves: { not: 1 } } })), ['bank'])
    assert.deepEqual(keys(await owners.find({ where: { last: { startsWith: 'o0' } }, limit: 2 })), ['o01', 'o02'])
    assert.deepEqual(keys(await owners.find({ where: { last: { startsWith: 'an' } } })), [])
    assert.deepEqual(keys(await owners.find({ where: { last: { includes: '1>b' } } })), ['o01', 'o11', 'o21'])
    assert.deepEqual(keys(await owners.find({ where: { note: 'x' } })), [])
    await running.stop()
  })

  test('looks into records, and takes one of several filters', async () => {
    const { running, wait } = await filled()
    const { owners } = running
    assert.deepEqual(keys(await owners.find({ where: { 'most.amount': { gte: 29 } } }, wait)), ['bank', 'o29', 'o30'])
    assert.deepEqual(keys(await owners.find({ where: { 'most.with': 'o30' } })), ['bank', 'o30'])
    const or = [{ balance: 3 }, { 'most.amount': 30, moves: 1 }] as const
    assert.deepEqual(keys(await owners.find({ or })), ['o03', 'o30'])
    assert.deepEqual(keys(await owners.find({ or, where: { balance: { lt: 10 } } })), ['o03'])
    assert.deepEqual(keys(await owners.find({ or: [] })), [])
    await running.stop()
  })

  test('compares dates by their time', async () => {
    const { running, wait } = await filled()
    const later = new Date(Date.now() + 60_000)
    assert.equal((await running.owners.find({ where: { since: { lt: later } } }, wait)).rows.length, 31)
    assert.equal((await running.owners.find({ where: { since: { gte: later } } })).rows.length, 0)
    const since = (await running.owners.get('o01'))?.since
    assert.ok((await running.owners.find({ where: { since: since as Date } })).rows.length >= 1)
    await running.stop()
  })

  test('orders by fields, each either way, and then by key in the direction of the last', async () => {
    const { running, wait } = await filled()
    const { owners } = running
    const top = await owners.find({ orderBy: [['balance', 'descending']], limit: 3 }, wait)
    assert.deepEqual(keys(top), ['bank', 'o30', 'o29'])
    assert.deepEqual(keys(await owners.find({ orderBy: ['balance'], limit: 2 })), ['o01', 'o02'])
    assert.deepEqual(top.rows[0]?.row.balance, 465)
    const byParity = await owners.find({ orderBy: ['moves', ['odd', 'descending'], 'balance'], limit: 3 })
    assert.deepEqual(keys(byParity), ['o01', 'o03', 'o05'])
    assert.deepEqual(keys(await owners.find({ orderBy: ['moves'], limit: 2 })), ['o01', 'o02'])
    assert.deepEqual(keys(await owners.find({ orderBy: [['moves', 'descending']], limit: 3 })), ['bank', 'o30', 'o29'])
    await running.stop()
  })

  test('counts rows', async () => {
    const { running, wait } = await filled()
    assert.equal(await running.owners.count({}, wait), 31)
    assert.equal(await running.owners.count(), 31)
    assert.equal(await running.owners.count({ where: { balance: { lte: 5 } }, or: [{ odd: true }] }), 3)
    await running.stop()
  })

  test('gives all rows page by page, each once', async () => {
    const { running, wait } = await filled()
    for (const orderBy of [[], ['moves'], [['odd', 'descending'], 'moves'], [['balance', 'descending']]] as const) {
      const whole = keys(await running.owners.find({ orderBy, limit: 100 }, wait))
      for (const limit of [1, 7, 31]) {
        const seen: string[] = []
        for (let after: string | undefined; ; ) {
          const page = await running.owners.find({ orderBy, limit, after })
          seen.push(...keys(page))
          after = page.next
          if (after === undefined) break
        }
        assert.deepEqual(seen, whole)
      }
    }
    await running.stop()
  })

  test('leaves out and repeats no row that does not change while others come and go', async () => {
    const { running, move } = await books()
    const wait = { atLeast: 0 }
    for (let i = 0; i < 10; i++) wait.atLeast = await move(`o${i}`, 'bank', 5)
    const first = await running.owners.find({ orderBy: ['balance'], limit: 5 }, wait)
    await move('a', 'bank', 5)
    const { position } = await running.ledger('main').close({ owner: 'o4' })
    const second = await running.owners.find(
      { orderBy: ['balance'], limit: 6, after: first.next },
      { atLeast: position },
    )
    assert.deepEqual(
      [...keys(first), ...keys(second)],
      ['o0', 'o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7', 'o8', 'o9', 'bank'],
    )
    assert.equal(second.next, undefined)
    await running.stop()
  })

  test('refuses an invalid limit, direction or cursor, and a cursor of another order', async () => {
    const { running, wait } = await filled()
    const { owners } = running
    const refused = async (query: object) =>
      assert.rejects(owners.find(query, wait), { code: 'after' in query ? 'CURSOR_INVALID' : 'OPTION_INVALID' })
    await refused({ limit: -1 })
    await refused({ orderBy: [['balance', 'up']] })
    await refused({ orderBy: [['balance']] })
    const { next } = await owners.find({ orderBy: ['balance'], limit: 1 }, wait)
    await refused({ after: next })
    await refused({ after: next, orderBy: [['balance', 'descending']] })
    for (const after of ['', 'x', btoa('[]'), btoa('["[]"]'), btoa('{}'), `${next}x`]) await refused({ after })
    const place = (...parts: readonly string[]) =>
      btoa(JSON.stringify(['[["balance",1]]', ...parts])).replaceAll('=', '')
    const altered = [
      place('', 'bank\u0002'),
      place('0', 'bank'),
      place('0', ''),
      place('20', 'bank\u0002'),
      ` ${next}`,
      `${next}=`,
    ]
    for (const after of altered) await refused({ after, orderBy: ['balance'] })
    assert.equal((await owners.find({ after: next, orderBy: ['balance'] })).rows.length, 30)
    await running.stop()
  })

  test('refuses a field that the initial row does not show, and names the near one', async () => {
    const { running } = await books()
    const refused = async (query: object, option: string, nearest?: string) =>
      assert.rejects(running.owners.find(query), (error: any) => {
        assert.deepEqual([error.code, error.facts.option, error.facts.nearest], ['OPTION_INVALID', option, nearest])
        return true
      })
    await refused({ where: { balanse: 5 } }, 'balanse', 'balance')
    await refused({ where: { 'most.amuont': 5 } }, 'most.amuont', 'most.amount')
    await refused({ where: { colour: 5 } }, 'colour')
    await refused({ or: [{ balanse: 5 }] }, 'balanse', 'balance')
    await refused({ orderBy: [['sicne', 'descending']] }, 'sicne', 'since')
    await assert.rejects(running.owners.count({ where: { balanse: 5 } } as never), { code: 'OPTION_INVALID' })
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
      extra: number | undefined
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
        extra: undefined,
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
      'of a text': [{ name: { endsWith: 'b' } }, 'endsWith'],
      'of a text, in another word': [{ name: { contains: 'b' } }, 'contains', 'includes'],
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
          if (!option.startsWith('where.total.'))
            assert.match(error.message, /gt, gte, lt, lte, not, in, startsWith, includes/)
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
      const count = async (where: object) => (await find(where)).rows.length
      assert.equal(await count({ address: { city: 'bob' } }), 1)
      assert.equal(await count({ address: { city: 'bob', less: 1 } }), 0)
      assert.equal(await count({ address: { not: { city: 'bob' } } }), 0)
      assert.equal(await count({ result: { in: [{ score: 5 }] } }), 1)
      assert.equal(await count({ range: { in: [{ greater: 5 }] } }), 1)
      await running.stop()
    })
  })
})
