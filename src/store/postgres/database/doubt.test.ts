/** A server whose machine vanished: its connections stay open, and nobody answers on any of them. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CuttingProxy } from '../../../../test/support/servers/cutting-proxy.ts'
import { dropSchema, freshSchema, openStore, simpleCommit } from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { until } from '../../../../test/support/until.ts'
import { type MnemeError, StoreError } from '../../../domain/error.ts'
import type { Store } from '../../store.ts'
import { postgres } from '../index.ts'

const timeoutMs = 5000
const poolSize = 4

/** A store that reaches the server through a proxy, and one of the same events that does not. */
async function openBehindProxy(context: TestContext, server: TestServer) {
  const proxy = await CuttingProxy.before(server.url)
  context.after(() => proxy.close())
  const schema = freshSchema()
  context.after(() => dropSchema(server, schema))
  const other = await openStore(context, server, { schema })
  const factory = postgres(proxy.url, { schema, timeoutMs, poolSize })
  const store = await factory.open({ warn: () => {}, now: () => 0 })
  context.after(() => store.close())
  return { proxy, store, other }
}

/** Asks until there is an answer. Returns the number of calls that had none. */
async function unanswered(store: Store): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await store.head()
      return count
    } catch (error) {
      assert.ok(error instanceof StoreError)
      assert.equal((error as MnemeError).code, 'STORE_UNAVAILABLE')
    }
  }
}

await onServer('Connections to a PostgreSQL server that vanished', findPostgres, (server) => {
  test('cost one call, however many there are, and the store hears of others again', async (context) => {
    const { proxy, store, other } = await openBehindProxy(context, server)
    let woken = 0
    context.after(store.onAppend(() => woken++))
    await until(() => woken > 0, 'it listens')
    await Promise.all(Array.from({ length: poolSize }, () => store.head()))
    assert.ok(proxy.open > 2, `${proxy.open} connections, one of which listens`)
    proxy.silenceAll()
    assert.equal(await unanswered(store), 1)
    await store.append([simpleCommit('own')])
    const before = woken
    let appended = 0
    await until(async () => {
      await other.append([simpleCommit(`other ${appended++}`)])
      return woken > before
    }, 'it hears of others')
    assert.equal(await store.head(), appended + 1)
  })
})
