import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Channel } from './channel.ts'
import { FrameWriter } from './http/frames.ts'
import type { Said } from './wire.ts'

/** So many turns of the event loop that both sides have said what they had to say. */
const turn = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
const command = (n: number, size: number): string =>
  JSON.stringify({ say: 'command', n, command: { data: '"ü\u0000'.repeat(size / 4) } })

/** Two channels. What the first one sends waits in `line` until the second one takes it. */
function pair(texts: string[]) {
  const line: string[] = []
  const heard: Said[] = []
  const environment = { elapsed: () => 0, defer: (callback: () => void) => void setImmediate(callback) }
  const epoch = () => 1
  const here = new Channel({ environment, epoch, send: (text) => line.push(text), next: () => texts.shift() })
  const there = new Channel({ environment, epoch, send: (text) => here.hear(text), next: () => undefined })
  const take = () => heard.push(...there.hear(line.shift()!).messages)
  return { here, line, heard, take }
}

describe('A channel', () => {
  test('has little under way until the other side has received it, and everything arrives once', async () => {
    const texts = Array.from({ length: 200 }, (_, n) => command(n, 40_000))
    const { here, line, heard, take } = pair([...texts])
    here.flushSoon()
    await turn()
    while (line.length > 0) {
      const underWay = line.reduce((sum, { length }) => sum + length, 0)
      assert.ok(underWay < 1_300_000, `${underWay} characters are under way`)
      take()
      await turn()
    }
    assert.ok(heard.length === texts.length && heard.every((message, i) => JSON.stringify(message) === texts[i]))
  })

  test('sends a question before everything that waits, even between the pieces of a long message', async () => {
    const texts = [command(1, 3_000_000), command(2, 40)]
    const { here, line, heard, take } = pair([...texts])
    here.flushSoon()
    await turn()
    assert.ok(line.every(({ length }) => length < 300_000))
    take()
    const ahead = line.length
    here.say({ say: 'cancel', n: 7 })
    await turn()
    for (let i = 0; i <= ahead; i++) take()
    assert.deepEqual(heard, [{ say: 'cancel', n: 7 }])
    for (await turn(); line.length > 0; await turn()) take()
    const later = heard.slice(1).map((message) => JSON.stringify(message))
    assert.ok(later.length === 2 && later.every((text, i) => text === texts[i]))
  })

  test('sends long errors of fences too, in order', async () => {
    const { here, line, heard, take } = pair([])
    const errors = [1, 2].map((n) => ({ say: 'fence', n, nth: 1, error: 'x'.repeat(200_000) }) as const)
    for (const error of errors) here.say(error)
    for (await turn(); line.length > 0; await turn()) take()
    assert.ok(isDeepStrictEqual(heard, errors))
  })

  test('sends a long message of quotation marks, which doubles in pieces', { timeout: 600_000 }, async () => {
    const text = JSON.stringify({ say: 'command', n: 1, command: { data: '"'.repeat(100_000) } })
    const { here, line, heard, take } = pair([text])
    here.flushSoon()
    for (await turn(); line.length > 0; await turn()) take()
    assert.ok(heard.length === 1 && JSON.stringify(heard[0]) === text)
  })

  test('makes packets that fit into a frame, whatever characters they have, and few of them', async () => {
    const frames = new FrameWriter(createSecretKey(randomBytes(32)), 'client')
    for (const [character, sizes] of [
      ['€', [60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 200_000]],
      ['\ud83d', [9000, 9000, 9000, 30_000]],
      ['"', [30_000, 30_000, 30_000, 30_000, 30_000, 100_000]],
    ] as const) {
      const data = sizes.map((size) =>
        JSON.stringify({ say: 'command', n: 1, command: { data: character.repeat(size) } }),
      )
      const { here, line, take } = pair([...data])
      here.flushSoon()
      for (await turn(); line.length > 0; await turn()) {
        frames.frame(line[0]!)
        take()
      }
    }
    const { here, line } = pair(Array.from({ length: 1000 }, (_, n) => command(n, 40)))
    here.flushSoon()
    await turn()
    assert.equal(line.length, 1)
  })

  test('sends a packet without a message only if it has to', async () => {
    const { here, line } = pair([])
    here.flushSoon()
    await turn()
    assert.equal(line.length, 0)
    here.speak()
    await turn()
    assert.equal(line.length, 1)
  })
})
