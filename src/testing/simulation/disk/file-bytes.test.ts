/** The bytes of a simulated file are those of a file that is copied at each change. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../random.ts'
import { FileBytes } from './file-bytes.ts'

test('A file has what was written last, and 0 where nothing was', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed)
    const file = new FileBytes()
    let copied = Buffer.alloc(0)
    const become = (length: number, bytes: Uint8Array, at: number) => {
      const changed = Buffer.alloc(length)
      copied.copy(changed)
      changed.set(bytes, at)
      copied = changed
    }
    for (let step = 1; step <= 60; step++) {
      const at = random.below(9000)
      if (random.chance(0.3)) {
        file.resize(at)
        become(at, Buffer.alloc(0), 0)
      } else {
        const bytes = Buffer.alloc(random.below(3000), step)
        file.write(bytes, at)
        become(Math.max(copied.length, at + bytes.length), bytes, at)
      }
      assert.equal(file.length, copied.length, `seed ${seed}`)
      assert.ok(file.view.equals(copied), `seed ${seed}, step ${step}`)
      const from = random.below(12_000)
      const found = Buffer.alloc(500)
      const count = file.read(found, from)
      assert.ok(found.subarray(0, count).equals(copied.subarray(from, from + 500)), `seed ${seed}, from ${from}`)
      const other = new FileBytes()
      other.write(Buffer.alloc(5000, 1), 0)
      other.become(file)
      assert.ok(other.view.equals(copied), `seed ${seed}, step ${step}`)
    }
  }
})
