/** Schemathesis finds nothing in a bank: what it makes of the OpenAPI document is answered as the document says. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { Bank } from '../../examples/bank/bank.ts'
import { http } from '../../src/http/index.ts'
import { findSchemathesis } from '../support/http/find-schemathesis.ts'
import { onServer } from '../support/servers/server.ts'

/**
 * A request that the document allows can still be refused for what is in the log: the command is rejected (422) or
 * expects another sequence (412), there is no such row (404), an id was used for another command (409), a position is
 * not in the log (410). And a cursor cannot be made up (400). A read that waits needs an offset (400), which the
 * document can tell in words only.
 */
const config = `
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 409, 410, 412, 422]
[[operations]]
include-path = "/projections/balances"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 410]
[[operations]]
include-path-regex = "^/streams"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 400, 404, 410]
`
const examples = 5
/** Streams and long polls end, so that their answers can be judged. */
const ending = { streamMsMax: 20, longPollMs: 20 }

await onServer('The OpenAPI document', findSchemathesis, ({ url: python }) => {
  test('is true: Schemathesis finds nothing', { timeout: 300_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mneme-schemathesis-'))
    await using bank = await Bank.start()
    // Some of the queries that it makes are longer than Node's server takes by default.
    const server = createServer({ maxHeaderSize: 4_000_000 }, getRequestListener(http(bank, ending))).listen(
      0,
      '127.0.0.1',
    )
    try {
      await once(server, 'listening')
      const document = `http://127.0.0.1:${(server.address() as AddressInfo).port}/openapi.json`
      writeFileSync(join(folder, 'config.toml'), config)
      const options = ['--phases', 'coverage,fuzzing', '--max-examples', `${examples}`, '--seed', '1', '--no-color']
      const args = ['-m', 'schemathesis.cli', '--config-file', 'config.toml', 'run', document, ...options]
      const child = spawn(python, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
      const said = await Promise.all([text(child.stdout), text(child.stderr)])
      const code = child.exitCode ?? ((await once(child, 'exit')) as [number])[0]
      assert.equal(code, 0, said.join('\n'))
      assert.match(said[0], /\d{3,} generated, \d{3,} passed/)
    } finally {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
