/** A trace crosses the log: from a request in one process to what another one does with its events. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { TransferBank } from '../../examples/transfer/bank.ts'
import { http } from '../../src/http/index.ts'
import { telemetry } from '../../src/otel/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { requests } from '../support/http/client.ts'

test('a request in one process and the projection, reaction and next command in another are one trace', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-trace-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const database = join(folder, 'bank.db')
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const observe = telemetry({ tracerProvider })
  await using bank = await TransferBank.start({ store: sqlite(database), projections: 'manual', observe })
  const { post } = requests(http(bank))
  for (const id of ['ada', 'bob']) await post(`/aggregates/account/${id}/open`, { owner: id })
  const traceId = 'a'.repeat(32)
  const headers = { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` }
  assert.equal((await post('/aggregates/account/ada/deposit', { amount: 9 }, headers)).status, 200)
  assert.equal(
    (await post('/aggregates/transfer/t1/request', { from: 'ada', to: 'bob', amount: 5 }, headers)).status,
    200,
  )

  const program = join(import.meta.dirname, 'following.fixture.ts')
  const other = spawn(process.execPath, [program, database], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => other.kill('SIGKILL'))
  const ended = once(other, 'close')
  const missing = new Set([
    'project balances',
    'react move money',
    'dispatch account.withdraw',
    'dispatch transfer.credited',
  ])
  const above = new Map<string, string>()
  const names = new Map(exporter.getFinishedSpans().map((span) => [span.spanContext().spanId, span.name]))
  for await (const line of createInterface({ input: other.stdout })) {
    const span = JSON.parse(line) as { name: string; traceId: string; spanId: string; above?: string }
    if (span.traceId !== traceId) continue
    names.set(span.spanId, span.name)
    if (!above.has(span.name)) above.set(span.name, span.above!)
    missing.delete(span.name)
    if (missing.size === 0) other.stdin.end()
  }
  assert.deepEqual(await ended, [0, null])
  assert.deepEqual([...missing], [])
  const nameAbove = (name: string) => names.get(above.get(name)!)
  assert.equal(nameAbove('project balances'), 'dispatch account.deposit')
  assert.equal(nameAbove('dispatch account.withdraw'), 'react move money')
  assert.equal(nameAbove('react move money'), 'dispatch transfer.request')
})
