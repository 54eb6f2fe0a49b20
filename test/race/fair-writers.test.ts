/**
 * Several processes that append to one MongoDB database as fast as they can. The place at the end of the log is taken
 * by compare-and-set; each of them has to come to it again and again, however busy the others are.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import { serverPlace } from '../support/crash/server-place.ts'
import { findFerretdb, findMongodb } from '../support/servers/mongodb-server.ts'
import { onServer } from '../support/servers/server.ts'
import type { FromFairWriter, ToFairWriter } from './fair-writer.ts'

const program = new URL('./fair-writer.ts', import.meta.url)
const processes = 4
const callers = 4
const forMs = 8_000
const timeoutMs = 300_000
/** The part of an even share that everybody gets at least. Left alone, the first one takes all but a hundredth. */
const leastPart = 0.1
/** How long an append may wait: a store gives up after that. */
const longestMsMax = 10_000

for (const [name, find] of [
  ['MongoDB', findMongodb],
  ['FerretDB', findFerretdb],
] as const) {
  await onServer(name, find, (server) => {
    test(`${processes} processes in full swing all get their turn`, {
      timeout: timeoutMs + 10_000,
    }, async (context) => {
      const place = serverPlace(context, server, 'mongodb', { timeoutMs })
      const over: Extract<FromFairWriter, { readonly say: 'over' }>[] = []
      let openedCount = 0
      const tell = (writer: ChildProgram, message: ToFairWriter) => writer.send(message)
      const hear = (said: FromFairWriter): void => {
        if (said.say === 'over') over.push(said)
        if (said.say !== 'opened' || ++openedCount < processes) return
        for (const writer of writers) tell(writer, { tell: 'begin', callers, forMs })
      }
      const writers = Array.from(
        { length: processes },
        () => new ChildProgram(program, (line) => hear(JSON.parse(line)), timeoutMs),
      )
      context.after(async () => {
        for (const writer of writers) writer.kill()
        await Promise.allSettled(writers.map(({ ended }) => ended))
      })
      for (const [i, writer] of writers.entries()) tell(writer, { tell: 'open', place, name: `writer ${i}` })
      await Promise.all(writers.map((writer) => writer.endedWell()))
      const shares = over.map(({ appends }) => appends).sort((a, b) => a - b)
      const evenShare = shares.reduce((sum, share) => sum + share, 0) / processes
      const longestMs = Math.round(Math.max(...over.map((each) => each.longestMs)))
      context.diagnostic(`${shares} appends, the longest of ${longestMs} ms`)
      assert.ok(shares[0]! >= leastPart * evenShare, `everybody has a share: ${shares}`)
      assert.ok(longestMs < longestMsMax, `nobody waits for long: ${longestMs} ms`)
    })
  })
}
