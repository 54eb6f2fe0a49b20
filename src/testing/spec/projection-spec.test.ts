/** Given events, then rows: what passes, what fails, and what a failure shows. */
import assert, { AssertionError } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { event, projection } from '../../index.ts'
import { on } from './history.ts'
import { spec } from './spec.ts'

const Opened = event('Opened', z.object({ owner: z.string().default('nobody') }))
const Moved = event('Moved', z.object({ to: z.string().optional(), amount: z.number() })).tagged(() => ['money'])
const Closed = event('Closed', z.object({}))

const Balances = projection('balances', () => ({ owner: '', balance: 0, since: undefined as Date | undefined }))
  .on(Opened, (row, { owner }, { recordedAt }) => ({ ...row, owner, since: recordedAt }))
  .on(Moved, (row, { amount }) => ({ ...row, balance: row.balance + amount }))
  .on(Closed, () => undefined)
  .by((event) => (Moved.is(event) && event.data.to !== undefined ? [event.stream.id, event.data.to] : event.stream.id))

const Total = projection('total', () => ({ count: 0, from: [] as string[] }))
  .on(Moved, ({ count, from }, _, { stream, sequence, position, tags, metadata }) => ({
    count: count + 1,
    from: [...from, `${stream.aggregate}/${stream.id}/${sequence}/${position}/${tags}/${metadata['by']}`],
  }))
  .single()

const epoch = new Date(0)

function failure(expectation: () => unknown): string {
  try {
    expectation()
  } catch (error) {
    assert.ok(error instanceof AssertionError, `expected an AssertionError, got ${error}`)
    return error.message
  }
  return assert.fail('it passed')
}

describe('A spec of a projection passes', () => {
  test('when the rows are as expected, also one that is not there', () => {
    spec(Balances)
      .given(on('ada', Opened({ owner: 'Ada' }), Moved({ amount: 5 })), on('bob', Moved({ amount: 2 })))
      .row('ada', { owner: 'Ada', balance: 5, since: epoch })
      .row('cy', undefined)
      .rows({
        bob: { owner: '', balance: 2, since: undefined },
        ada: { owner: 'Ada', balance: 5, since: epoch },
      })
  })

  test('with the stream `spec` for events without a place', () => {
    spec(Balances)
      .given(Moved({ amount: 5 }))
      .row('spec', { owner: '', balance: 5, since: undefined })
  })

  test('with events as production would give them: with defaults, and the time that was set', () => {
    const since = new Date('2026-01-01T00:00:00Z')
    spec(Balances).at(since).given(on('ada', Opened())).row('ada', { owner: 'nobody', balance: 0, since })
  })

  test('with events in several rows, and with rows that were deleted', () => {
    spec(Balances)
      .given(on('ada', Moved({ to: 'bob', amount: 5 })))
      .given(on('ada', Closed()))
      .rows({ bob: { owner: '', balance: 5, since: undefined } })
  })

  test('with the place of each event', () => {
    spec(Total)
      .state({ count: 0, from: [] })
      .given(on({ aggregate: 'account', id: 'a', metadata: { by: 'me' } }, Moved({ amount: 1 }), Moved({ amount: 1 })))
      .given(on('a', Moved({ amount: 1 })))
      .state({ count: 3, from: ['account/a/1/1/money/me', 'account/a/2/2/money/me', 'spec/a/1/3/money/undefined'] })
  })

  test('from the same history any number of times', () => {
    const given = spec(Balances).given(on('ada', Moved({ amount: 5 })))
    given.given(on('ada', Closed())).row('ada', undefined)
    given.row('ada', { owner: '', balance: 5, since: undefined })
  })
})

describe('A spec of a projection fails', () => {
  const given = spec(Balances).given(on('ada', Moved({ amount: 5 })))

  test('on another row, and shows the events, both sides and the difference', () => {
    const message = failure(() => given.row('ada', { owner: '', balance: 6, since: undefined }))
    assert.match(message, /^balances after Moved on 'ada'\n/)
    assert.match(message, /expected: the row 'ada' \{ balance: 6/)
    assert.match(message, /actual: {3}the row 'ada' \{ balance: 5/)
    assert.match(message, /\+ actual - expected/)
  })

  test('on a row that should not be there, one that is missing, and one too many', () => {
    failure(() => given.row('ada', undefined))
    failure(() => given.row('bob', { owner: '', balance: 0, since: undefined }))
    failure(() => given.rows({}))
    failure(() => spec(Total).state({ count: 1, from: [] }))
  })

  test('at an event that is not handled, is not valid, or whose function throws', () => {
    const Other = event('Moved', z.object({}))
    assert.throws(() => given.given(Other() as never), { code: 'OPTION_INVALID', message: /Moved/ })
    assert.throws(() => given.given(Moved({ amount: 'x' as never })), { code: 'EVENT_INVALID' })
    const Broken = projection('broken', () => ({ at: 0 })).on(Moved, () => {
      throw new RangeError('bug')
    })
    assert.throws(() => spec(Broken).given(Moved({ amount: 1 })), { name: 'RangeError', message: 'bug' })
    const Unstorable = projection('unstorable', () => ({ run: (): number => 0 })).on(Moved, (row) => ({ ...row }))
    assert.throws(() => spec(Unstorable).given(Moved({ amount: 1 })), { code: 'DATA_NOT_JSON' })
  })

  test('on what is no definition, no place and no time', () => {
    const code = projection('code').handle([Moved], () => {})
    assert.throws(() => spec(code as never), { code: 'OPTION_INVALID' })
    assert.throws(() => on({ id: 'a', agregate: 'x' } as never), { code: 'OPTION_INVALID' })
    assert.throws(() => on('', Moved({ amount: 1 })), { code: 'ID_INVALID' })
    assert.throws(() => spec(Balances).at('tomorrow'), { code: 'OPTION_INVALID' })
  })
})
