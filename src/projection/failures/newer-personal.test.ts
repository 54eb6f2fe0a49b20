/**
 * A new program declares a field as personal, and an old one that takes it for a text runs beside it. Whatever the
 * failure policy says, the old program leaves such events to the new one.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { until } from '../../../test/support/until.ts'
import { aggregate, domain, event, hasCode, memory, personal, projection, reaction } from '../../index.ts'

const schema = z.object({ customer: z.string(), email: z.string(), name: z.string() })
const subject = ({ customer }: z.infer<typeof schema>) => customer

/** The domain, with these fields personal. */
function domainWith(
  fields: readonly ('email' | 'name')[],
  handled: string[],
  giveUp: 'skip' | 'stop' | 'park' = 'skip',
) {
  const declaration = { subject, fields }
  const Registered = (
    fields.length === 0 ? event('Registered', schema) : event('Registered', personal(schema, declaration))
  ) as any
  const Customer = aggregate('customer', () => ({ count: 0 }))
    .on(Registered, ({ count }) => ({ count: count + 1 }))
    .command(
      'register',
      (fields.length === 0 ? schema : personal(schema, declaration)) as any,
      (_: unknown, data: any) => Registered(data),
    )
  const policy = { retries: 0, giveUp }
  const greet = ({ stream }: { readonly stream: { readonly id: string } }) => void handled.push(stream.id)
  const Greet = reaction('greet')
    .on(Registered, greet as never)
    .onFailure(policy)
  const Counts = projection('counts', () => ({ count: 0 })).on(Registered, ({ count }) => ({ count: count + 1 }))
  return domain({
    aggregates: { customer: Customer },
    reactions: { greet: Greet },
    projections: { counts: Counts.onFailure?.(policy as never) ?? Counts },
  })
}

const options = { pollIntervalMs: 5, leaseMs: 1000 } as const

describe('An event with a field that only a newer program declares as personal', () => {
  for (const [declared, why] of [
    [[], 'no field'],
    [['email'], 'another field'],
  ] as const) {
    test(`is left to that program by one that declares ${why}`, async () => {
      const store = memory()
      const handled: string[] = []
      await using older = await domainWith(declared, handled).start({ ...options, log: recorder(), store })
      const data = { customer: 'ada', email: 'ada@example.org', name: 'Ada' }
      await older.customer('old').register(data)
      await until(async () => (await older.reactions.status('greet')).position === 1)
      await using newer = await domainWith(['email', 'name'], handled).start({
        ...options,
        log: recorder(),
        projections: 'manual',
        store,
      })
      await newer.customer('new').register(data)
      await until(async () => (await older.reactions.status('greet')).state === 'outdated')
      await until(async () => (await older.projections.status('counts')).state === 'outdated')
      await assert.rejects(older.customer('new').state(), (error) => hasCode(error, 'EVENT_NEWER'))
      await newer.reactions.start('greet')
      await newer.projections.start('counts')
      assert.equal((await newer.counts.get('new', { atLeast: 2 }))?.count, 1)
      await until(() => handled.includes('new'))
      assert.deepEqual(handled, ['old', 'new'])
      assert.equal((await newer.customer('new').state()).count, 1)
    })
  }

  for (const giveUp of ['skip', 'stop', 'park'] as const) {
    test(`does not keep a projection from the events before it, if failed events make it ${giveUp}`, async () => {
      const store = memory()
      await using older = await domainWith([], [], giveUp).start({
        ...options,
        log: recorder(),
        projections: 'manual',
        store,
      })
      const register = (on: typeof older, id: string) =>
        on.customer(id).register({ customer: id, email: 'ada@example.org', name: 'Ada' })
      for (const id of ['a', 'b']) await register(older, id)
      await using newer = await domainWith(['email'], [], giveUp).start({ ...options, projections: 'manual', store })
      await register(newer, 'c')
      await register(older, 'd')
      await older.projections.start('counts')
      await until(async () => (await older.projections.status('counts')).state === 'outdated')
      assert.equal((await older.projections.status('counts')).position, 2)
      assert.deepEqual(
        [...(await older.counts.find()).rows].map(({ key }) => key),
        ['a', 'b'],
      )
      await newer.projections.start('counts')
      assert.equal((await newer.counts.get('d', { atLeast: 4 }))?.count, 1)
      assert.deepEqual(await newer.projections.parked('counts'), [])
      assert.equal((await newer.counts.find()).rows.length, 4)
    })
  }
})
