/**
 * What the program prints. Results go to the standard output, one line each, and wait if the reader is slow. Everything
 * else goes to the standard error output. With `--json` each line of both is a JSON value. Colours are only for
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
    const line = this.isJson ? jsonLine(value) : typeof text === 'string' ? text : text()
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

  /** Something to know that is no result. @param value what it is for programs */
  note(text: string, value: unknown = { note: text }): void {
    this.#err.write(`${this.isJson ? jsonLine(value) : harmless(text)}\n`)
  }

  /** Colours a text of the results. */
  style(style: Style, text: string): string {
    return this.isJson ? text : styleText(style, text, { stream: this.#out })
  }
}

/** `1 event`, `1,382 events`: a word of which the plural has an s. */
export const counted = (count: number, word: string): string =>
  `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`

/** A text that may come from outside, such as an id: as it is if it is harmless, otherwise quoted and escaped. */
export const plain = (text: string): string =>
  /^[\p{L}\p{N}_.:@+#~-]+$/u.test(text) ? text : harmless(JSON.stringify(text))

/** A stream as `account/ada`. */
export const streamText = ({ aggregate, id }: StreamId): string => `${plain(aggregate)}/${plain(id)}`

/** JSON on one line, without characters that a terminal obeys. It is the same value for those who parse it. */
export const jsonLine = (value: unknown): string => harmless(JSON.stringify(value))

/**
 * A text without characters that a terminal obeys, or that change the order of what is shown: they are escaped. Line
 * feeds and tabs stay. Messages of errors may have such characters from anywhere.
 */
export const harmless = (text: string): string =>
  text.replace(/(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })

/** The same on one line. */
export const oneLine = (text: string): string => harmless(text.replaceAll(/\s+/g, ' ').trim())

/** A line that fits a terminal. */
export function cut(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line
  let [short, width] = ['', 0]
  for (const character of line) {
    width += widthOf(character)
    if (width > columns - 3) break
    short += character
  }
  return `${short}...`
}

/** The columns that a text takes on a terminal. Most of what is wide or combines is known; the rest counts as 1. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += isWide.test(character) ? 2 : isCombining.test(character) ? 0 : 1
  return width
}

const isCombining = /^[\p{M}\u200b-\u200d]$/u
const isWide =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]$/u
