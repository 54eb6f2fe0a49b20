/** The code of docs/guide/telemetry.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { health } from '../../src/health/index.ts'
import { memory } from '../../src/index.ts'
import { telemetry } from '../../src/otel/index.ts'
import { Bank } from '../bank/bank.ts'

test('a domain is observed by OpenTelemetry', async () => {
  // #region start
  const otel = telemetry()
  await using bank = await Bank.start({ store: memory(), observe: otel })
  const unwatch = otel.watch(bank)
  // #endregion
  const { state } = await bank.account('ada').open({ owner: 'Ada' })
  assert.equal(state.status, 'open')
  unwatch()
})

test('a process says whether it lives and is ready', async () => {
  await using bank = await Bank.start({ store: memory() })
  // #region health
  const { live, ready } = health(bank, { needs: ['balances'], lagMsMax: 60_000 })

  async function handle(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/livez') return live(request)
    if (pathname === '/readyz') return ready(request)
    return new Response('Not found', { status: 404 })
  }
  // #endregion
  await bank.account('ada').open({ owner: 'Ada' })
  for (const [path, status] of [
    ['livez', 200],
    ['readyz', 200],
    ['other', 404],
  ] as const)
    assert.equal((await handle(new Request(`http://localhost/${path}`))).status, status)
})
