/** Rows that are not what the store wrote are refused with a code, or read as they are. */
import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fuzz, seedsOf } from '../../../test/support/fuzz/fuzz-target.ts'
import { forgedRows } from '../../../test/support/fuzz/sqlite-target.ts'
import { sized } from '../../../test/support/size.ts'
import { freshPath } from './sqlite-test.fixture.ts'

/** More with `MNEME_DAMAGES=20000`. */
const forgeries = Number(process.env['MNEME_DAMAGES'] ?? sized(40, 10))

test('forged rows of every table are refused with a code or read as they are', async (context) => {
  const target = forgedRows(dirname(await freshPath(context)))
  const { refused, answered } = await fuzz(target, seedsOf(forgeries))
  assert.ok(Math.min(refused, answered) > forgeries / 20, `${refused} refused, ${answered} answered`)
})

test('tags that are no list of texts are refused with a code, though their checksum is right', async (context) => {
  const target = forgedRows(dirname(await freshPath(context)))
  await fuzz(target, [1799655112])
})
