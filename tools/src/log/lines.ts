/** Lines of an exported log, read from a file or a stream, one at a time. */
import { ToolsError, wordsOf } from '../errors.ts'
import { fromCloudEvent, isCloudEvent, toCloudEvent } from './cloud-event.ts'
import { type EventRecord, parseRecord } from './record.ts'

/** `json`: a record a line. `cloudevents`: a CloudEvent a line. */
export type LogFormat = 'json' | 'cloudevents'

/** A record as a line, without its end. */
export const lineOf = (record: EventRecord, format: LogFormat): string =>
  JSON.stringify(format === 'json' ? record : toCloudEvent(record))

/**
 * A line as a record, in either format.
 *
 * @throws ToolsError `LINE_INVALID`
 */
export function recordIn(text: string, line: number): EventRecord {
  let value: unknown
  try {
    value = JSON.parse(text)
    if (isCloudEvent(value)) value = fromCloudEvent(value)
  } catch (cause) {
    const reason = wordsOf(cause)
    throw new ToolsError('LINE_INVALID', `Line ${line} is not JSON: ${reason}`, { cause })
  }
  return parseRecord(value, line)
}

/** A line, and where it ends. */
export interface Line {
  readonly text: string
  readonly number: number
  /** The bytes up to the end of the line, its line feed included. */
  readonly end: number
  /** `false` for what follows the last line feed. It may be the half of a line. */
  readonly isWhole: boolean
}

/** How long a line may be. A commit has at most 8 million characters, of at most 6 bytes each in JSON. */
const lineBytesMax = 128 * 1024 * 1024

/**
 * The lines of some bytes.
 *
 * @throws ToolsError `LINE_INVALID` for a line that is too long, before all of it is in memory
 */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, void> {
  let rest: Uint8Array[] = []
  let restBytes = 0
  let end = 0
  let number = 0
  for await (const chunk of bytes) {
    let begin = 0
    for (let feed = chunk.indexOf(10); feed !== -1; feed = chunk.indexOf(10, begin)) {
      const part = chunk.subarray(begin, feed)
      const line = rest.length === 0 ? part : Buffer.concat([...rest, part])
      rest = []
      restBytes = 0
      begin = feed + 1
      end += line.length + 1
      number++
      yield { text: textOf(line), number, end, isWhole: true }
    }
    if (begin < chunk.length) rest.push(chunk.subarray(begin))
    restBytes += chunk.length - begin
    if (restBytes > lineBytesMax) {
      throw new ToolsError('LINE_INVALID', `Line ${number + 1} is longer than ${lineBytesMax} bytes`, {
        advice: 'This is no export of a log',
      })
    }
  }
  if (rest.length === 0) return
  const last = Buffer.concat(rest)
  yield { text: textOf(last), number: number + 1, end: end + last.length, isWhole: false }
}

const textOf = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('utf8')
