/** The reading part of the conformance suite of the Durable Streams protocol, over a real socket. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { durableNotes } from '../support/http/durable-notes.ts'
import { leftOut } from '../support/size.ts'

/** The groups of the suite that read. */
const reading = [
  ...['Read Operations', 'Long-Poll Operations', 'Browser Security Headers', 'HEAD Metadata'],
  ...['Offset Validation and Resumability', 'Long-Poll Edge Cases', 'Caching and ETag'],
  ...['Chunking and Large Payloads', 'Read-Your-Writes Consistency', 'SSE Mode', 'JSON Mode'],
]
/**
 * What is in these groups, but is not for this service: events are JSON, so there are no streams of bytes; streams do
 * not expire; and the answer to a preflight is that of `http` (`hostile.test.ts`).
 */
const others = ['base64', 'binary', 'TTL', 'CORS preflight', 'chunk-size pagination']

const pattern = `^(?!.*(${others.join('|')}))(${reading.join('|')}) should|^(?!.*base64)SSE Mode JSON`
const groupsLeast = 80

interface Report {
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

test('the reading part of the conformance suite passes', { skip: leftOut, timeout: 180_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-durable-'))
  const { handle, stop } = await durableNotes()
  const server = createServer(getRequestListener(handle)).listen(0, '127.0.0.1')
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const suite = createRequire(import.meta.url).resolve('@durable-streams/server-conformance-tests/package.json')
    const vitest = join(dirname(createRequire(suite).resolve('vitest/package.json')), 'vitest.mjs')
    const output = join(folder, 'report.json')
    const root = join(import.meta.dirname, 'vitest')
    const args = [vitest, 'run', '--root', root, '-t', pattern, '--reporter=json', `--outputFile=${output}`]
    const env = { ...process.env, CONFORMANCE_TEST_URL: `http://127.0.0.1:${port}` }
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = await Promise.all([text(child.stdout), text(child.stderr)])
    const report = JSON.parse(readFileSync(output, 'utf8')) as Report
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
    const failed = results.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)
    assert.deepEqual(failed, [], said.join('\n'))
    assert.ok(report.numPassedTests >= groupsLeast, `only ${report.numPassedTests} have run`)
  } finally {
    server.closeAllConnections()
    server.close()
    await stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
