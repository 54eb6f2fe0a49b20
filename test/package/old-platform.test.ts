/** Platforms that are too old: the first that one hears of it says so, whatever is missing. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { domain } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'

const path = join(tmpdir(), 'mneme-old-platform', 'never.db')

const refused = (message: RegExp) => (error: Error & { readonly code?: string; readonly retryable?: boolean }) => {
  assert.equal(error.code, 'RUNTIME_UNSUPPORTED')
  assert.equal(error.retryable, false)
  assert.match(error.message, message)
  assert.ok(error.message.includes(`Node ${process.versions.node} does not have`), error.message)
  assert.match(error.message, /Node 22\.18 or newer/)
  assert.equal(existsSync(path), false)
  return true
}

/** As on Node 20, while something is begun. */
function withoutResolvers<Result>(begin: () => Result): Result {
  const { withResolvers } = Promise
  Promise.withResolvers = undefined as never
  try {
    return begin()
  } finally {
    Promise.withResolvers = withResolvers
  }
}

test('a domain does not start on a platform that is too old', async () => {
  const started = withoutResolvers(() => domain({ aggregates: {} }).start())
  await assert.rejects(started, refused(/^Mneme needs Promise\.withResolvers/))
})

test('nor does a SQLite store open by itself', async () => {
  const opened = withoutResolvers(() => sqlite(path).open({ warn: () => {}, now: () => 0 }))
  await assert.rejects(opened, refused(/^Mneme needs/))
})

for (const [what, found] of Object.entries({
  'has no module node:sqlite': () => undefined,
  'cannot be asked for modules': undefined,
})) {
  test(`a SQLite store does not open on a platform that ${what}`, async (context) => {
    context.mock.property(process, 'getBuiltinModule', found as never)
    await assert.rejects(
      domain({ aggregates: {} }).start({ store: sqlite(path) }),
      refused(/^The store sqlite needs node:sqlite/),
    )
  })
}
