/** The bank over HTTP, with everything in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { http } from '../../../src/http/index.ts'
import { Bank } from './bank.ts'

test('money that was deposited is in the balance', async () => {
  const bank = await Bank.start()
  const handle = http(bank)
  const send = (path: string, data: object) =>
    handle(
      new Request(`http://localhost/aggregates/account/ada/${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(data),
      }),
    )
  await send('open', { owner: 'Ada' })
  const deposited = await send('deposit', { amount: 100 })
  assert.equal(deposited.status, 200)

  // With the position of the answer, the read waits for what was written.
  const headers = { 'Mneme-Position': deposited.headers.get('Mneme-Position') ?? '' }
  const row = await handle(new Request('http://localhost/projections/balances/ada', { headers }))
  assert.deepEqual(await row.json(), { owner: 'Ada', balance: 100 })
  await bank.stop()
})
