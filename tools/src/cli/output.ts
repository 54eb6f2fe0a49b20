/**
 * What the program prints. Results go to the standard output, one line each, and wait if the reader is slow. With
 * `--json` each line is a JSON value. Everything else goes to the standard error output. Colours are only for
 * terminals, and `NO_COLOR` turns them off.
 */
import { styleText } from 'node:util'
import type { StreamId } from '../../../src/index.ts'
import { Interrupted } from './ending.ts'

type Style = Parameters<typeof styleText>[0]

/** Where text goes: a stream of Node. */
type Stream = NodeJS.WriteStream

export class Output {
  readonly isJson: boolean
  readonly #out: Stream
  readonly #err: Stream
  readonly #gone: AbortController

  /** @param gone is aborted when nobody reads the results any more */
  constructor(isJson: boolean, gone: AbortController, out: Stream = process.stdout, err: Stream = process.stderr) {
    this.isJson = isJson
    this.#out = out
    this.#err = err
    this.#gone = gone
    const lost = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') gone.abort(new Interrupted('SIGPIPE'))
      else gone.abort(error)
    }
    out.on('error', lost)
    // Warnings and progress that nobody reads are no reason to end.
    err.on('error', () => {})
  }

  /** The width of the terminal; infinite if it is none. */
  get columns(): number {
    return this.#out.isTTY ? this.#out.columns : Number.POSITIVE_INFINITY
  }

  /** A result: a value for programs, and its text for people. Waits until there is room for it. */
  async result(value: unknown, text: string | (() => string)): Promise<void> {
    const line = this.isJson ? JSON.stringify(value) : typeof text === 'string' ? text : text()
    await this.write(`${line}\n`)
  }

  async write(text: string): Promise<void> {
    this.#gone.signal.throwIfAborted()
    if (this.#out.write(text)) return
    await new Promise<void>((resolve, reject) => {
      const { signal } = this.#gone
      const end = () => {
        this.#out.off('drain', end)
        signal.removeEventListener('abort', end)
        if (signal.aborted) reject(signal.reason)
        else resolve()
      }
      this.#out.on('drain', end)
      signal.addEventListener('abort', end)
    })
  }

  /** Something to know that is no result. */
  note(text: string): void {
    this.#err.write(`${text}\n`)
  }

  /** Colours a text of the results. */
  style(style: Style, text: string): string {
    return this.isJson ? text : styleText(style, text, { stream: this.#out })
  }
}

/** A text that may come from outside, such as an id: as it is if it is harmless, otherwise quoted and escaped. */
export const plain = (text: string): string =>
  /^[\p{L}\p{N}_.:@+#~-]+$/u.test(text) ? text : escaped(JSON.stringify(text))

/** A stream as `account/ada`. */
export const streamText = ({ aggregate, id }: StreamId): string => `${plain(aggregate)}/${plain(id)}`

/** JSON on one line, without characters that a terminal obeys. */
export const jsonLine = (value: unknown): string => escaped(JSON.stringify(value))

const escaped = (json: string): string =>
  json.replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })

/** A line that fits a terminal. */
export const cut = (line: string, columns: number): string =>
  line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 3))}...`
