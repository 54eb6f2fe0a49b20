/** Reads events many rows at a time, as they follow each other in a stream or in the log. */

import type { SharedBreath } from '../../../runtime/breath.ts'
import type { Range } from '../../range.ts'
import type { EventRow } from './checksum.ts'
import { damaged, type KnownStream, sizeOf } from './event-row.ts'
import type { EventSource } from './event-source.ts'
import type { Progress } from './progress.ts'

/** The number of rows to read first. After that, as many as have about a number of characters. */
const rowsFirst = 200
const rowsMax = 1000
const charactersAtOnce = 1_000_000

/** How rows are read, and which of them must exist. */
interface Rows {
  readonly source: EventSource
  readonly breath: SharedBreath
  readonly place: 'sequence' | 'position'
  readonly read: (range: Range, count: number) => readonly EventRow[]
  /** Whether every place of the range has a row. */
  readonly isWhole: boolean
  readonly stream?: KnownStream
}

/**
 * Reads until the limit or the end of the range, and lets the event loop turn in between.
 *
 * @throws Failure if an event is missing
 */
export async function readBatches(progress: Progress, range: Range, rows: Rows): Promise<void> {
  const { limit, backward, signal } = progress.reading
  const { source, breath, place, isWhole, stream } = rows
  const column = place === 'position' ? 0 : 1
  let { from, to } = range
  let size = rowsFirst
  while (from < to && progress.events.length < limit) {
    const count = Math.min(limit - progress.events.length, size)
    const read = rows.read({ from, to }, count)
    const { characters } = progress
    let taken = 0
    for (const row of read) {
      if (progress.characters - characters >= charactersAtOnce) break
      const at = row[column]
      if (isWhole && at !== (backward ? to - 1 : from)) throw missing(place, backward ? to - 1 : from)
      // Rows of a damaged file may be in any order, so this loop might never end.
      if (!(at >= from && at < to)) throw damaged(`the event at ${place} ${at}`, 'it is in the wrong place')
      const whole = row[6] === null ? source.rowAt(row[0]) : row
      progress.add(source.of(whole, stream), sizeOf(whole))
      taken++
      if (backward) to = at
      else from = at + 1
    }
    if (taken === read.length && read.length < count) {
      if (isWhole && from < to) throw missing(place, backward ? to - 1 : from)
      return
    }
    if (progress.isLarge) return progress.endEarly(backward ? to - 1 : from)
    const each = (progress.characters - characters) / taken
    size = Math.max(1, Math.min(rowsMax, Math.ceil(charactersAtOnce / (each + 1))))
    if (from < to && breath.isDue) await breath.pause(signal)
  }
}

function missing(place: string, at: number): Error {
  return damaged(`the event at ${place} ${at}`, 'it is missing')
}
