/**
 * What a test run prints: a line a file while it goes on, every failure in full where it happens and by name at the
 * end, the servers that tests ran on, the tests that were skipped with their reasons, and the totals, last in the form
 * `3 passed, 0 failed, 1 skipped`.
 */
import { relative } from 'node:path'
import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'
import { serverLine } from '../test/support/servers/server.ts'

/** How many lines of a failure are repeated at the end. */
const linesOfBrief = 60

/** What is kept of a test that failed or was skipped. */
interface Noted {
  readonly name: string
  readonly place: string
  readonly text: string
}

/** What is known of a run before it begins. */
export interface RunOptions {
  /** How many files there are. */
  readonly files: number
  /** Whether somebody looks on: then a line at the end tells how far it is. */
  readonly isTerminal: boolean
  /** The files that are in a module of several (`together.ts`). */
  readonly parts?: ReadonlyMap<string, readonly string[]>
  readonly root?: string
}

/** Renders the events of `run` from `node:test`. */
export async function* report(events: AsyncIterable<TestEvent>, options: RunOptions): AsyncGenerator<string> {
  const { files, isTerminal, parts = new Map(), root = process.cwd() } = options
  const startedAt = performance.now()
  let done = 0
  let empty = 0
  const failed: Noted[] = []
  const skipped: Noted[] = []
  const servers = new Set<string>()
  const tally = new Tally(new Set([...parts.values()].flat()))
  for await (const event of events) {
    switch (event.type) {
      case 'test:fail': {
        tally.add(event.data, false)
        const failure = failureOf(event.data, root, parts)
        if (failure === undefined) break
        failed.push(failure)
        yield `✖ ${failure.name} (${failure.place})\n${failure.text.replaceAll(/^/gm, '    ')}\n`
        break
      }
      case 'test:pass': {
        tally.add(event.data, true)
        const { skip } = event.data
        const reason = typeof skip === 'string' && skip !== '' ? skip : 'no reason given'
        if (skip !== undefined) skipped.push({ ...noted(event.data, root), text: reason })
        break
      }
      case 'test:stdout': {
        // What was written in several parts may come as one.
        for (const line of event.data.message.split(/(?<=\n)/)) {
          if (line.startsWith(serverLine)) servers.add(line.slice(serverLine.length).trim())
          else yield line
        }
        break
      }
      case 'test:stderr':
        yield event.data.message
        break
      case 'test:summary':
        if (isTerminal) yield clearLine
        if (event.data.file === undefined) yield closing(event.data, { failed, skipped, servers, empty })
        else {
          const some = parts.get(event.data.file)
          const kits = tally.takeKits()
          if (some !== undefined)
            for (const end of [...some.map((file: string) => tally.of(file)), ...kits]) yield fileLine(end, root)
          else if (isEmpty(event.data)) empty++
          else yield fileLine(event.data, root)
          done += some?.length ?? 1
          if (isTerminal) yield progress(done, files, performance.now() - startedAt)
        }
        break
    }
  }
}

/** The line that tells how far a run is stands last, and is written over by the next one. */
const clearLine = '\r\u001b[K'

/** Files differ much in how long they take, so the time that is left is only about that. */
function progress(done: number, files: number, goneMs: number): string {
  const leftMs = (goneMs / done) * (files - done)
  return `${done} of ${files} files, ${minutes(goneMs)} gone, about ${minutes(leftMs)} left`
}

const minutes = (ms: number): string =>
  `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`

type Summary = Extract<TestEvent, { readonly type: 'test:summary' }>['data']
type Passed = Extract<TestEvent, { readonly type: 'test:pass' }>['data']
type Failure = Extract<TestEvent, { readonly type: 'test:fail' }>['data']
type Located = Pick<Failure, 'name' | 'file' | 'line' | 'column'>

/** What a file has come to. */
interface FileEnd extends Pick<Summary, 'file' | 'duration_ms' | 'success'> {
  readonly counts: Pick<Summary['counts'], 'tests' | 'skipped'>
}

interface Sum {
  tests: number
  skipped: number
  ms: number
  success: boolean
}

/** Adds up the tests of each file that is in a process with others, for which Node gives no sums. */
class Tally {
  readonly #sums: ReadonlyMap<string, Sum>
  /** Of files that declare tests for those of the process: a conformance kit, for example. */
  readonly #kits = new Map<string, Sum>()
  /** By nesting: how long tests took that are part of a test which goes on. */
  readonly #withinMs: number[] = []

  constructor(files: ReadonlySet<string>) {
    this.#sums = new Map([...files].map((file) => [file, emptySum()]))
  }

  add({ file = '', nesting, skip, details }: Passed | Failure, passed: boolean): void {
    const sum = this.#sums.get(file) ?? this.#kits.get(file) ?? emptySum()
    if (!this.#sums.has(file)) this.#kits.set(file, sum)
    const withinMs = this.#withinMs[nesting + 1] ?? 0
    this.#withinMs[nesting + 1] = 0
    if (details.type !== 'suite') {
      sum.tests++
      sum.ms += details.duration_ms - withinMs
      this.#withinMs[nesting] = (this.#withinMs[nesting] ?? 0) + details.duration_ms
    }
    if (skip !== undefined) sum.skipped++
    if (!passed) sum.success = false
  }

  of(file: string): FileEnd {
    return fileEnd(file, this.#sums.get(file)!)
  }

  /** The kits of the process that has ended. */
  takeKits(): readonly FileEnd[] {
    const ends = [...this.#kits].filter(([, { tests }]) => tests > 0).map(([file, sum]) => fileEnd(file, sum))
    this.#kits.clear()
    return ends
  }
}

const emptySum = (): Sum => ({ tests: 0, skipped: 0, ms: 0, success: true })

const fileEnd = (file: string, { tests, skipped, ms, success }: Sum): FileEnd => ({
  ...{ file, success, duration_ms: ms },
  counts: { tests, skipped },
})

function fileLine({ file = '', counts, duration_ms, success }: FileEnd, root: string): string {
  const skips = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
  return `${success ? '✔' : '✖'} ${relative(root, file)} (${counts.tests} tests${skips}, ${Math.round(duration_ms)} ms)\n`
}

/** What a run is closed with. */
interface Gathered {
  readonly failed: readonly Noted[]
  readonly skipped: readonly Noted[]
  readonly servers: ReadonlySet<string>
  /** How many files had no test of the names that were asked for: Node counts each as a test that has passed. */
  readonly empty: number
}

/** Whether a file had no test to run. */
export const isEmpty = ({ counts, success }: Pick<Summary, 'counts' | 'success'>): boolean =>
  success && counts.tests === 0

function closing({ counts, duration_ms }: Summary, { failed, skipped, servers, empty }: Gathered): string {
  const { suites, cancelled, todo } = counts
  const [tests, passed] = [counts.tests - empty, counts.passed - empty]
  // A suite whose hook threw is no test, but a run with one must not end with "0 failed".
  const broken = Math.max(tests - passed - counts.skipped - todo, failed.length)
  const totals = { tests, suites, pass: passed, fail: broken - cancelled, cancelled, skipped: counts.skipped, todo }
  return [
    ...(failed.length > 0 ? ['\nFailed:\n', ...failed.map(brief)] : []),
    ...(skipped.length > 0 ? ['\nSkipped:\n', ...skipped.map(brief)] : []),
    ...(servers.size > 0 ? ['\nServers:\n', ...[...servers].sort().map((server) => `  ${server}\n`)] : []),
    '\n',
    ...Object.entries({ ...totals, duration_ms: Math.round(duration_ms) }).map(([name, n]) => `ℹ ${name} ${n}\n`),
    `${passed} passed, ${broken} failed, ${counts.skipped} skipped\n`,
  ].join('')
}

/** What went wrong, or nothing for a suite that only reports that tests in it failed. */
function failureOf(data: Failure, root: string, parts: ReadonlyMap<string, readonly string[]>): Noted | undefined {
  const { error } = data.details
  if ((error as { readonly failureType?: string }).failureType === 'subtestsFailed') return undefined
  const some = parts.get(data.name)?.map((file) => relative(root, file))
  const name = some === undefined ? data.name : `The process of ${some.join(', ')}`
  return { ...noted({ ...data, name }, root), text: textOf(error.cause ?? error) }
}

/** An assertion's message tells all; of other errors, their own fields and causes are worth seeing. */
function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  const isAssertion = thrown instanceof Error && thrown.name === 'AssertionError' && thrown.stack !== undefined
  return isAssertion ? thrown.stack! : inspect(thrown, { depth: 8 })
}

function noted({ name, file, line, column }: Located, root: string): Omit<Noted, 'text'> {
  const path = file === undefined ? '' : relative(root, file)
  return { name, place: line === undefined ? path : `${path}:${line}:${column}` }
}

/** In one line: enough of an assertion's difference to know what was found instead. All of it was printed before. */
function brief({ name, place, text }: Noted): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
  const found = lines.slice(0, linesOfBrief).map((line) => line.trim())
  return `  ${name} (${place}): ${found.join(' ')}\n`
}
