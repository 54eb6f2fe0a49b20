/** Lines that fit their checksum and are not what the store wrote, or are in another place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forgedLines, movedLines } from '../../../test/support/fuzz/file-target.ts'
import { fuzz, seedsOf } from '../../../test/support/fuzz/fuzz-target.ts'
import { sized } from '../../../test/support/size.ts'

/** More with `MNEME_DAMAGES=20000`. */
const forgeries = Number(process.env['MNEME_DAMAGES'] ?? sized(120, 40))

test('forged lines, headers and formats are refused with a code or are valid', async () => {
  const { refused, answered } = await fuzz(forgedLines, seedsOf(forgeries))
  assert.ok(Math.min(refused, answered) > forgeries / 10, `${refused} refused, ${answered} answered`)
})

test('whole lines in other places are refused or change no event', async () => {
  const { answered } = await fuzz(movedLines, seedsOf(forgeries))
  assert.ok(answered > 0)
})
