/** The screens of projections, reactions and the cluster: what made a row, what waits, and who is there. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { cluster } from '../../../src/cluster/index.ts'
import { aggregate, domain, event, memory, personal, projection } from '../../../src/index.ts'
import { filledStore, studioPlace } from '../../../test/support/tools/studio-place.ts'
import { applyChanges } from '../../page/apply-changes.ts'
import type {
  ClusterInfo,
  Json,
  ReasonsView,
  RowEndView,
  RowsView,
  StepsView,
  TimersView,
  WaitingView,
} from './views.ts'

type Ask = (path: string) => Promise<Response>

async function answer<Body>(ask: Ask, path: string): Promise<Body> {
  const response = await ask(`/api/${path}`)
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Body
}

/** What the page makes of the steps. */
function lastOf({ base, steps }: StepsView): Json | undefined {
  let last = base
  for (const { changes } of steps) last = applyChanges(last, changes)
  return last
}

describe('The studio', () => {
  test('lists rows, and steps through the events that made one', async (t) => {
    const store = await filledStore(230)
    {
      await using bank = await TransferBank.start({ store, projections: 'manual' })
      await bank.projections.runOnce('balances')
    }
    const { ask } = await studioPlace(t, { store })
    const { rows } = await answer<RowsView>(ask, 'rows?projection=balances')
    assert.deepEqual(
      rows.map(({ key }) => key),
      ['ada', 'bob'],
    )
    const of = 'projection=balances&key=ada'
    const [one] = (await answer<RowsView>(ask, `rows?${of}`)).rows
    const end = await answer<RowEndView>(ask, `row/end?${of}`)
    // Opened, 230 deposits, and the withdrawal of the transfer.
    assert.deepEqual(end, { end: 232, looked: 237, head: 237 })
    const page = await answer<StepsView>(ask, `row/steps?${of}&from=201&count=100`)
    assert.deepEqual([page.from, page.end, page.steps.length], [201, 232, 32])
    assert.deepEqual(lastOf(page), one!.row)
    const middle = await answer<StepsView>(ask, `row/steps?${of}&from=150&count=2`)
    assert.deepEqual(
      [(middle.base as { readonly balance: number }).balance, middle.steps.map(({ event }) => event.sequence)],
      [(148 * 149) / 2, [150, 151]],
    )
    const first = await answer<StepsView>(ask, `row/steps?${of}&count=1`)
    assert.deepEqual([first.base, first.steps[0]!.event.type], [null, 'AccountOpened'])
    assert.deepEqual((await answer<StepsView>(ask, `row/steps?${of}&from=900`)).steps, [])
    const why = await answer<ReasonsView>(ask, `row/reasons?${of}&path=["owner"]&sequence=232`)
    assert.deepEqual(
      why.reasons.map(({ event, after }) => [event.type, after]),
      [['AccountOpened', 'ada']],
    )
    const nobody = await answer<RowEndView>(ask, 'row/end?projection=balances&key=nobody')
    assert.equal(nobody.end, 0)
    assert.equal((await ask('/api/rows?projection=nothing')).status, 400)
  })

  test('shows the row of the code that is there: one that fails, one that is deleted, and no personal value', async (t) => {
    const data = z.object({ id: z.string(), email: z.string() })
    const fields = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
    const Joined = event('Joined', data).personal(fields)
    const Left = event('Left', z.object({}))
    const Member = aggregate('member', () => ({}))
      .on(Joined, (state) => state)
      .on(Left, (state) => state)
      .command('join', personal(data, fields), (_, joined) => Joined(joined))
      .command('leave', z.object({}), () => Left({}))
    const Emails = projection('emails', () => ({ all: [] as unknown[] }))
      // In place, which a projection may do.
      .on(Joined, (row, { email }) => {
        row.all.push(email)
        return row
      })
      .on(Left, () => undefined)
      .by(({ stream }) => stream.id)
    const Count = projection('count', () => ({ members: 0 }))
      .on(Joined, ({ members }) => {
        if (members === 2) throw new Error('too many')
        return { members: members + 1 }
      })
      .single()
    const Members = domain({ aggregates: { member: Member }, projections: { emails: Emails, count: Count } })
    const store = memory()
    {
      await using members = await Members.start({ store, projections: 'manual' })
      for (const email of ['one@example.org', 'two@example.org']) await members.member('m').join({ id: 'm', email })
      await members.member('m').leave({})
      await members.member('m').join({ id: 'm', email: 'three@example.org' })
    }
    const { ask } = await studioPlace(t, { store, domain: Members })
    await answer(ask, 'row/end?projection=emails&key=m')
    const text = await (await ask('/api/row/steps?projection=emails&key=m')).text()
    assert.ok(!text.includes('example.org'), text)
    const made = JSON.parse(text) as StepsView
    assert.deepEqual(
      made.steps.map(({ changes }) => changes.length),
      [1, 1, 1, 1],
    )
    assert.deepEqual(lastOf(made), { all: ['[personal]'] })
    await answer(ask, 'row/end?projection=count&key=')
    const count = await answer<StepsView>(ask, 'row/steps?projection=count&key=')
    assert.deepEqual([count.end, count.failure], [2, 'At position 4: too many'])
  })

  test('says what reactions have still to do, and stores nothing for one that has never run', async (t) => {
    const store = memory()
    {
      await using bank = await TransferBank.start({ store, projections: 'manual' })
      await bank.account('ada').open({ owner: 'ada' })
      await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 5 })
    }
    const { ask } = await studioPlace(t, { store })
    const never = await answer<WaitingView>(ask, 'reactions/waiting?reaction=move%20money')
    assert.deepEqual([never.beginning, never.items.length], ['first', 1])
    const opened = await store.open({ warn() {}, now: Date.now })
    assert.equal((await opened.loadCheckpoint('reaction move money')).term, 0)
    {
      await using bank = await TransferBank.start({ store, projections: 'manual' })
      await bank.reactions.status('moveMoney')
      await bank.reactions.runOnce('moveMoney')
      await bank.account('ada').deposit({ amount: 50 })
      await bank.transfer('t2').request({ from: 'ada', to: 'bob', amount: 5 })
    }
    const { items } = await answer<WaitingView>(ask, 'reactions/waiting?reaction=move%20money')
    const waiting = items as readonly { readonly type: string; readonly why: string }[]
    assert.ok(waiting.some(({ type, why }) => type === 'TransferRequested' && why === 'unhandled'))
    assert.deepEqual(await answer<TimersView>(ask, 'reactions/timers?reaction=move%20money'), { timers: [] })
    assert.equal((await ask('/api/reactions/timers?reaction=nothing')).status, 400)
  })

  test('shows the members of a cluster, as the store knows them', async (t) => {
    const store = memory()
    const { ask } = await studioPlace(t, { store })
    assert.deepEqual(await answer(ask, 'cluster'), { cluster: null })
    const options = { address: '127.0.0.1:0', secret: 'a secret of these members' }
    await using bank = await TransferBank.start({ store, cluster: cluster(options) })
    const { cluster: found } = await answer<{ readonly cluster: ClusterInfo }>(ask, 'cluster')
    const status = bank.cluster!.status()
    const [member] = found.members
    assert.deepEqual([found.epoch, member!.id, member!.shards], [status.epoch, status.self, status.members[0]!.shards])
    assert.deepEqual(member!.follows, ['balances', 'reaction move money'])
  })
})
