/** Unique e-mail addresses: two who want one, a program that dies in between, and a customer who changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/index.ts'
import { Shop, takeEmail } from './customer.ts'

async function rig() {
  const [store, environment] = [memory(), manualEnvironment()]
  const start = () => Shop.start({ store, environment, projections: 'manual', leaseMs: 3_600_000 })
  type Running = Awaited<ReturnType<typeof start>>
  const ownerOf = async (shop: Running, email: string) => (await shop.email(email).state()).owner
  return { environment, start, ownerOf }
}

test('Of many customers in two processes, one gets the address', async () => {
  const { start, ownerOf } = await rig()
  await using one = await start()
  await using two = await start()
  const ids = Array.from({ length: 20 }, (_, i) => `c-${i}`)
  const ends = await Promise.allSettled(ids.map((id, i) => takeEmail(i % 2 === 0 ? one : two, id, ' Ada@example.org')))
  const winners = ids.filter((_, i) => ends[i]!.status === 'fulfilled')
  assert.equal(winners.length, 1)
  for (const end of ends) if (end.status === 'rejected') assert.match(String(end.reason), /Taken/)
  assert.equal(await ownerOf(two, 'ada@example.org'), winners[0])
  const having = await Promise.all(ids.map(async (id) => (await one.customer(id).state()).now?.email))
  assert.equal(having.filter((email) => email === 'ada@example.org').length, 1)
})

test('A claim whose customer never takes it is given up, and cannot be taken any more', async () => {
  const { environment, start, ownerOf } = await rig()
  {
    await using shop = await start()
    await shop.email('ada@example.org').claim({ owner: 'c-1' })
    // The program dies here.
  }
  await using shop = await start()
  await shop.reactions.runOnce('freeEmails')
  await assert.rejects(takeEmail(shop, 'c-2', 'ada@example.org'), /Taken/)
  await environment.advance(11 * 60 * 1000)
  for (let i = 0; i < 2; i++) await shop.reactions.runOnce('freeEmails')
  assert.equal(await ownerOf(shop, 'ada@example.org'), undefined)
  // The first program was not dead, but very slow.
  await assert.rejects(shop.customer('c-1').take({ email: 'ada@example.org', claim: 1 }), /TooLate/)
  await takeEmail(shop, 'c-2', 'ada@example.org')
  await assert.rejects(takeEmail(shop, 'c-1', 'ada@example.org'), /Taken/)
})

test('A customer who has taken the address keeps it, and it can be taken again without effect', async () => {
  const { environment, start, ownerOf } = await rig()
  await using shop = await start()
  await takeEmail(shop, 'c-1', 'ada@example.org')
  await takeEmail(shop, 'c-1', 'ada@example.org')
  await shop.reactions.runOnce('freeEmails')
  await environment.advance(11 * 60 * 1000)
  for (let i = 0; i < 2; i++) await shop.reactions.runOnce('freeEmails')
  assert.equal(await ownerOf(shop, 'ada@example.org'), 'c-1')
  assert.equal((await shop.customer('c-1').read()).sequence, 1)
})

test('A customer who changes gives the old address back, and may have it again', async () => {
  const { start, ownerOf } = await rig()
  await using shop = await start()
  await takeEmail(shop, 'c-1', 'old@example.org')
  await takeEmail(shop, 'c-1', 'new@example.org')
  await shop.reactions.runOnce('freeEmails')
  assert.equal(await ownerOf(shop, 'old@example.org'), undefined)
  assert.equal(await ownerOf(shop, 'new@example.org'), 'c-1')
  // An old command arrives again, when somebody else may have the address.
  await takeEmail(shop, 'c-2', 'old@example.org')
  await assert.rejects(shop.customer('c-1').take({ email: 'old@example.org', claim: 1 }), /TooLate/)
  await takeEmail(shop, 'c-2', 'other@example.org')
  await shop.reactions.runOnce('freeEmails')
  await takeEmail(shop, 'c-1', 'old@example.org')
  await shop.reactions.runOnce('freeEmails')
  assert.equal(await ownerOf(shop, 'new@example.org'), undefined)
  assert.deepEqual((await shop.customer('c-1').state()).now, { email: 'old@example.org', claim: 3 })
})
