/**
 * Writes a whole log as lines, to a file or anywhere. An export to a file can be killed at any moment and started
 * again: it keeps the whole lines that are there, after it has compared the last one with the log, and goes on behind.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { EventStore } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { type LogFormat, lineOf, linesOf, recordIn } from './lines.ts'
import { readLogPages, recordsWithCommits } from './read-log.ts'
import { type EventRecord, isSameEvent, LogDigest, recordOf } from './record.ts'

export interface ExportOptions {
  readonly format: LogFormat
  readonly signal?: AbortSignal
  /** Is told the last position that was written. */
  readonly onProgress?: (position: number) => void
}

/** What an export or an import ended with. */
export interface LogSummary {
  /** The events of the whole log. */
  readonly events: number
  /** The events that were there already, from a run before. */
  readonly kept: number
  readonly digest: string
}

/** Writes all events. @param write gets some lines at a time */
export async function exportTo(
  store: EventStore,
  write: (text: string) => Promise<void>,
  options: ExportOptions,
): Promise<LogSummary> {
  return append(store, write, options, { last: undefined, digest: new LogDigest() })
}

/**
 * Writes all events to a file, or the rest of them if it has some already. What it has is synced when this resolves.
 *
 * @throws ToolsError `LOG_DIFFERS` if the file is of another log, or is no export; `LINE_INVALID`
 */
export async function exportToFile(store: EventStore, path: string, options: ExportOptions): Promise<LogSummary> {
  const file = await open(path, 'a+')
  try {
    const { size } = await file.stat()
    const before = size === 0 ? nothingYet() : await exported(path, options)
    await checkSameLog(store, before.last, path)
    const half = Buffer.alloc(size - before.end)
    await file.read(half, { position: before.end })
    await checkHalf(store, half, before.last, path, options)
    await file.truncate(before.end)
    const write = async (text: string) => {
      await file.writeFile(text)
    }
    const summary = await append(store, write, options, before)
    await file.sync()
    return summary
  } finally {
    await file.close()
  }
}

/** What a file has. */
interface Exported {
  readonly last: EventRecord | undefined
  readonly digest: LogDigest
  readonly end: number
}

const nothingYet = (): Exported => ({ last: undefined, digest: new LogDigest(), end: 0 })

async function exported(path: string, { signal, format, onProgress }: ExportOptions): Promise<Exported> {
  const digest = new LogDigest()
  let last: EventRecord | undefined
  let end = 0
  for await (const line of linesOf(createReadStream(path, signal && { signal }))) {
    if (!line.isWhole) break
    const record = recordIn(line.text, line.number)
    if (record.position !== line.number) {
      throw new ToolsError('LOG_DIFFERS', `Line ${line.number} of ${path} has the event at ${record.position}`, {
        advice: 'The file is not an export of a whole log. Export to another file',
      })
    }
    // In the other format, the file would be of two halves.
    if (line.number === 1 && line.text !== lineOf(record, format)) {
      throw new ToolsError('LOG_DIFFERS', `${path} is not in the format ${format}`, {
        advice: 'Export in the format that it has, or to another file',
      })
    }
    digest.add(record)
    last = record
    end = line.end
    onProgress?.(record.position)
  }
  return { last, digest, end }
}

/** @throws ToolsError `LOG_DIFFERS` */
async function checkSameLog(store: EventStore, last: EventRecord | undefined, path: string): Promise<void> {
  if (last === undefined) return
  const { events } = await store.readAll({ from: last.position, to: last.position + 1 })
  if (events[0] !== undefined && isSameEvent(recordOf(events[0]), last)) return
  throw new ToolsError('LOG_DIFFERS', `The log has another event at position ${last.position} than ${path}`, {
    advice: 'The file is an export of another log. Export to another file',
  })
}

/**
 * Checks that what follows the last whole line is the half of a line that a killed export has left. If it is anything
 * else, it is somebody's, and stays.
 *
 * @throws ToolsError `LOG_DIFFERS`
 */
async function checkHalf(
  store: EventStore,
  half: Buffer,
  last: EventRecord | undefined,
  path: string,
  { format, signal }: ExportOptions,
): Promise<void> {
  if (half.length === 0) return
  for await (const page of readLogPages(store, { from: (last?.position ?? 0) + 1, ...(signal && { signal }) })) {
    const [next] = await recordsWithCommits(store, page)
    if (next !== undefined && Buffer.from(lineOf(next, format)).subarray(0, half.length).equals(half)) return
    break
  }
  throw new ToolsError('LOG_DIFFERS', `${path} ends with something that no export of this log has left there`, {
    advice: 'Export to another file',
  })
}

async function append(
  store: EventStore,
  write: (text: string) => Promise<void>,
  { format, signal, onProgress }: ExportOptions,
  { last, digest }: Pick<Exported, 'last' | 'digest'>,
): Promise<LogSummary> {
  const kept = last?.position ?? 0
  let events = kept
  for await (const page of readLogPages(store, { from: kept + 1, ...(signal && { signal }) })) {
    const records = await recordsWithCommits(store, page)
    for (const record of records) digest.add(record)
    await write(records.map((record) => `${lineOf(record, format)}\n`).join(''))
    events += records.length
    onProgress?.(events)
  }
  return { events, kept, digest: digest.end() }
}
