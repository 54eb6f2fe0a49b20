/** The code of docs/guide/tenants.md, run as tests. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { cluster } from '../../src/cluster/index.ts'
import { health } from '../../src/health/index.ts'
import { hasCode, memory, type Tenants, tenants } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Bank } from '../bank/bank.ts'

async function folder(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mneme-guide-tenants-'))
  context.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('a tenant is opened when it is used', async (context) => {
  const data = await folder(context)
  // #region start
  await using banks = tenants(Bank, {
    start: (name) => ({ store: sqlite(`${data}/${name}.db`) }),
    idleMs: 60_000,
    openMax: 50,
  })

  const acme = banks.get('acme')
  await acme.account('ada').open({ owner: 'Ada' })
  const { position } = await acme.account('ada').deposit({ amount: 100 })
  console.log(await acme.balances.get('ada', { atLeast: position })) // the balance is 100
  // #endregion
  // #region use
  const total = await banks.use('acme', async (bank) => {
    const [ada, bob] = await bank.account.states(['ada', 'bob'])
    return ada!.state.balance + bob!.state.balance
  })
  // #endregion
  assert.equal(total, 100)
  const request = new Request('http://localhost/readyz')
  // #region ready
  const response = await banks.use('acme', (bank) => health(bank).ready(request))
  // #endregion
  assert.equal(response.headers.get('content-type'), 'application/health+json')
  assert.equal((await banks.get('../acme').account('ada').state()).balance, 0)
  const files = (await readdir(data)).filter((file) => file.endsWith('.db'))
  assert.deepEqual(files.sort(), ['_2e_2e_2facme.db', 'acme.db'])
})

test('tenants are spread over the members of a cluster', async (context) => {
  const data = await folder(context)
  const secret = 'the same for all members'
  // #region cluster
  await using banks = tenants(Bank, {
    start: (name) => ({ store: sqlite(`${data}/${name}.db`) }),
    cluster: cluster({ address: '127.0.0.1:0', secret }),
    catalog: sqlite(`${data}/catalog.sqlite`),
  })
  await banks.cluster.join()

  await banks.get('acme').account('ada').open({ owner: 'Ada' }) // decided by the member where acme lives
  const { members } = await banks.cluster.status()
  // #endregion
  assert.equal(members.length, 1)
  await banks.cluster.remove('acme')
})

test('an unknown tenant is refused, and all are woken when the program starts', async () => {
  const customers = new Map([
    ['acme', { store: memory() }],
    ['globex', { store: memory() }],
  ])
  // #region start-function
  const banks = tenants(Bank, {
    start: async (_, tenant) => {
      const customer = customers.get(tenant)
      if (customer === undefined) throw new Error(`there is no customer ${tenant}`)
      return { store: customer.store, snapshotEvery: 100 }
    },
  })
  // #endregion
  // #region wake
  const { failed } = await banks.wake(customers.keys())
  for (const { tenant, error } of failed) console.error(`${tenant} was not woken`, error)
  // #endregion
  assert.deepEqual(failed, [])
  await assert.rejects(banks.get('initech').head(), { code: 'TENANT_NOT_OPENED' })
  assert.deepEqual(await statusOf(banks, 'initech'), 404)
  assert.deepEqual(await statusOf(banks, 'acme'), 200)
  await banks.stop()
})

type Banks = Tenants<typeof Bank.aggregates, typeof Bank.projections>

async function statusOf(banks: Banks, tenant: string): Promise<number> {
  // #region errors
  try {
    await banks.get(tenant).account('ada').state()
    return 200
  } catch (error) {
    if (hasCode(error, 'TENANTS_BUSY')) return 503
    if (hasCode(error, 'TENANT_NOT_OPENED')) return error.retryable && isOfStore(error.cause) ? 503 : 404
    throw error
  }
  // #endregion
}

const isOfStore = (cause: unknown): boolean => hasCode(cause, 'STORE_UNAVAILABLE')
