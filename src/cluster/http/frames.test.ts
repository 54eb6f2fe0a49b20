import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { FrameReader, FrameWriter } from './frames.ts'

const key = createSecretKey(randomBytes(32))
const texts = ['', 'a', 'ä'.repeat(1000), 'z'.repeat(100_000)]
const framesOf = (written: readonly string[], with_ = key): readonly Buffer[] => {
  const writer = new FrameWriter(with_, 'client')
  return written.map((text) => writer.frame(text))
}

describe('Frames', () => {
  test('are read as they were written, however they are cut', () => {
    const bytes = Buffer.concat(framesOf(texts))
    for (const size of [1, 7, 1000, bytes.length]) {
      const reader = new FrameReader(key, 'client')
      const read: string[] = []
      for (let from = 0; from < bytes.length; from += size) read.push(...reader.read(bytes.subarray(from, from + size)))
      assert.deepEqual(read, texts)
    }
  })

  test('are refused if they are changed, left out, repeated, of the other side or made with another key', () => {
    const frames = framesOf(texts)
    const read = (some: readonly Buffer[], side: 'client' | 'server' = 'client') => {
      const reader = new FrameReader(key, side)
      return () => some.flatMap((frame) => reader.read(frame))
    }
    for (const at of [4, 20, frames[1]!.length - 1]) {
      const changed = Buffer.from(frames[1]!)
      changed[at]! ^= 1
      assert.throws(read([frames[0]!, changed]), /wrong proof/)
    }
    assert.throws(read([frames[0]!, frames[2]!]), /wrong proof/)
    assert.throws(read([frames[0]!, frames[0]!]), /wrong proof/)
    assert.throws(read(frames, 'server'), /wrong proof/)
    assert.throws(read(framesOf(texts, createSecretKey(randomBytes(32)))), /wrong proof/)
  })

  test('that say they are endless are refused before they are read, and so are all before the first proof', () => {
    const head = Buffer.alloc(20, 0xff)
    assert.throws(() => new FrameReader(key, 'client').read(head), /too long/)
    const [first, second] = framesOf(texts)
    assert.throws(() => new FrameReader(key, 'client').read(second!), /too long/)
    assert.throws(() => new FrameReader(key, 'client').read(Buffer.concat([first!, head])), /too long/)
  })
})
