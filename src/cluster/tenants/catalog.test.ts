/** The catalog of tenants: entries of several members at the same time, and the tenants of a shard, in pages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '../../store/memory/index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Catalog, shardOfTenant } from './catalog.ts'

const names = Array.from({ length: 2000 }, (_, i) => `tenant ${i}`)

async function listed(catalog: Catalog): Promise<readonly string[]> {
  const found: string[] = []
  for (let shard = 0; shard < 256; shard++) {
    for await (const tenant of catalog.tenantsOf(shard)) {
      assert.equal(shardOfTenant(tenant), shard)
      found.push(tenant)
    }
  }
  return found.sort()
}

test('Tenants that several members enter at the same time are all in the catalog, once', async () => {
  const store = await memory().open({ warn() {}, now: () => 0 })
  const environment = manualEnvironment()
  const members = [1, 2, 3].map(() => new Catalog(store, environment))
  const odd = ['ä/%', '000 tenant', '%', ' ', 'tenant 1 ', '\u{10ffff}']
  const wanted = [...names.slice(0, 40), ...odd]
  const adding = Promise.all(wanted.flatMap((tenant) => members.map((member) => member.add(tenant))))
  let isOver = false
  void adding.finally(() => {
    isOver = true
  })
  while (!isOver) await environment.advance(50)
  await adding
  assert.deepEqual(await listed(members[0]!), wanted.toSorted())
  // What is there is not written again.
  const { position } = await store.loadCheckpoint('cluster tenants')
  for (const tenant of wanted) await members[1]!.add(tenant)
  assert.equal((await store.loadCheckpoint('cluster tenants')).position, position)
  await members[2]!.remove('ä/%')
  assert.deepEqual(await listed(members[0]!), wanted.filter((tenant) => tenant !== 'ä/%').toSorted())
  await store.close()
})

test('A shard with more tenants than a page has is listed whole', async () => {
  const store = await memory().open({ warn() {}, now: () => 0 })
  const catalog = new Catalog(store, manualEnvironment())
  // Of so many names, some 1,200 belong to one shard.
  const many = Array.from({ length: 300_000 }, (_, i) => `t${i}`).filter((tenant) => shardOfTenant(tenant) === 7)
  assert.ok(many.length > 1000)
  await Promise.all(many.map((tenant) => catalog.add(tenant)))
  const found: string[] = []
  for await (const tenant of catalog.tenantsOf(7)) found.push(tenant)
  assert.deepEqual(found.sort(), many.sort())
  await store.close()
})

test('The shard of a tenant never changes, or members of two versions would not agree', () => {
  assert.deepEqual(['acme', 'globex', 'ä/%'].map(shardOfTenant), [22, 170, 83])
})
