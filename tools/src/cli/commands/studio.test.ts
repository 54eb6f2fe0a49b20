/** `mneme studio`, as a user runs it: its address, and how it ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TransferBank } from '../../../../examples/transfer/bank.ts'
import { buildPage } from '../../../../scripts/page.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import { toolsPlace } from '../../../../test/support/tools/mneme.ts'

test('mneme studio serves the log until it is interrupted', async (t) => {
  buildPage(fileURLToPath(new URL('../../studio/page', import.meta.url)))
  const { start, mneme, folder } = await toolsPlace(t)
  const bank = await TransferBank.start({ store: sqlite(`${folder}/bank.db`), projections: 'manual' })
  await bank.account('ada').open({ owner: 'ada' })
  await bank.stop()
  const refused = await mneme(['studio', '--port', '0'], { env: { NODE_ENV: 'production' } })
  assert.equal(refused.code, 2)
  assert.match(refused.err, /NODE_ENV is production/)
  const child = start(['studio', '--port', '0', '--json'])
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const { address } = JSON.parse((await lines.next()).value!) as { readonly address: string }
  const { origin, searchParams } = new URL(address)
  const authorization = `Bearer ${searchParams.get('token')}`
  const page = await fetch(`${origin}/`, { headers: { authorization } })
  assert.match(await page.text(), /<title>Mneme studio<\/title>/)
  const events = await fetch(`${origin}/api/events`, { headers: { authorization } })
  const body = (await events.json()) as { readonly events: readonly { readonly type: string }[] }
  assert.deepEqual(
    body.events.map(({ type }) => type),
    ['AccountOpened'],
  )
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  assert.equal(code, 130)
})
