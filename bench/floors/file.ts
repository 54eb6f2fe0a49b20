/** The file store's floor: the bytes of its own log, written to one file by one write and one `fdatasync` a batch. */
import { closeSync, fdatasyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from '../setting.ts'
import { type Replayed, timed } from './timed.ts'

const lineFeed = 10

/** Writes the measured part of a closed store's log again. */
export async function replayBytes(place: Place): Promise<Replayed> {
  const segments = readdirSync(place.path).filter((name) => name.endsWith('.jsonl') && name.startsWith('log-'))
  const log = Buffer.concat(segments.sort().map((name) => readFileSync(join(place.path, name))))
  let at = behindLines(log, 0, place.commitsBefore())
  const parts = place.batches.map(({ commits }) => {
    const start = at
    at = behindLines(log, start, commits)
    return log.subarray(start, at)
  })
  if (at !== log.length) throw new Error(`The log has ${log.length} bytes, but the batches that were seen have ${at}`)
  const descriptor = openSync(`${place.path}-floor`, 'w')
  const replayed = await timed('the same bytes: one write and fdatasync a batch', place, (index) => {
    writeSync(descriptor, parts[index]!)
    fdatasyncSync(descriptor)
  })
  closeSync(descriptor)
  return replayed
}

/** The place behind so many lines. A commit is a line. */
function behindLines(log: Buffer, from: number, lines: number): number {
  let at = from
  for (let line = 0; line < lines; line++) at = log.indexOf(lineFeed, at) + 1
  return at
}
