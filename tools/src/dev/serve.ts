/**
 * The process that runs the user's code with the studio. `mneme dev` starts it (`supervise.ts`) and ends it: it loads
 * the code, waits until it may use the store, and then runs until it is told to stop, or `mneme dev` is gone.
 *
 * Tidy: a program, so it has no exports.
 */

import { rename, writeFile } from 'node:fs/promises'
import { loadTarget } from '../config/load-target.ts'
import { wordsOf } from '../errors.ts'
import { type Inspection, openInspection, type Target } from '../inspection/index.ts'
import { startStudio } from '../studio/index.ts'
import { CodeChanges } from './code-changes.ts'
import { noteLoadedFiles } from './loaded-files.ts'
import type { FromProcess, LoadedFile, ServeOptions, ToProcess } from './messages.ts'
import { statesBy } from './states-by-code.ts'

/** How long the rest may take when nobody waits for it any more. */
const goneMs = 5000
/** How long the user's server may send answers after the domain has stopped. */
const servedMs = 1000
/** How many lines of an error are told. */
const linesMax = 8

const options = JSON.parse(process.argv[2]!) as ServeOptions
const ending = new AbortController()
const { signal } = ending
let files: LoadedFile[] = []
let isLoaded = false

const tell = (message: FromProcess): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send!(message, undefined, undefined, () => resolve())
    else resolve()
  })

noteLoadedFiles((file) => {
  if (isLoaded) void tell({ kind: 'files', files: [file] })
  else files.push(file)
})

/** What went wrong, with the place in the user's code if there is one. */
function described(error: unknown): string {
  const message = wordsOf(error)
  const cause = error instanceof Error ? error.cause : undefined
  if (!(cause instanceof Error)) return message
  // What stands before the name of the error says where it is, also if it is no line of a stack.
  const isOwn = (line: string) => !/^\s+at .*(node:|<anonymous>|[\\/]node_modules[\\/])/.test(line)
  const lines = `${cause.stack ?? ''}`.split('\n').filter(isOwn)
  // Errors of the library have the message of their cause, which may be in no code of the user.
  if (lines.length === 1 && message.includes(wordsOf(cause))) return message
  return [message, ...lines.slice(0, linesMax)].join('\n').trimEnd()
}

async function fail(error: unknown): Promise<void> {
  await tell({ kind: 'failed', files, message: described(error) })
  process.exit(1)
}

async function load(): Promise<Target> {
  const target = await loadTarget(options.target, { mayCreate: false })
  isLoaded = true
  await tell({ kind: 'loaded', files })
  files = []
  return target
}

type Start = Extract<ToProcess, { readonly kind: 'start' }>

async function serve(target: Target, start: Start, changes: CodeChanges): Promise<void> {
  const { ended } = await whileWanted(target, start, changes)
  // A page that follows events keeps its connection for ever, so nobody waits for that.
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, servedMs))])
}

/** @returns whether the user's server has ended, since the domain has stopped */
async function whileWanted(
  target: Target,
  { port, token, before }: Start,
  changes: CodeChanges,
): Promise<{ readonly ended: Promise<void> }> {
  await using inspection = await openInspection(target, { isRunning: true })
  await using studio = await startStudio(inspection, {
    isAllowedInProduction: options.isAllowedInProduction,
    isWritable: options.isWritable,
    token,
    development: () => changes.view(),
    ...(port !== undefined && { port }),
  })
  await tell({ kind: 'started', address: studio.address })
  const served = run(inspection, changes)
  const compared = compare(inspection, before, changes)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  // It takes no more requests, but may still answer those that it has.
  const ended = disposed(await served)
  // Before the domain stops, so that nothing reads a store that is closed.
  await compared
  return { ended }
}

/** Starts the domain, and then what belongs to it. @returns what the user's `serve` returned */
async function run(inspection: Inspection, changes: CodeChanges): Promise<unknown> {
  const { domain, target } = inspection
  if (domain === undefined) return undefined
  try {
    const { started } = await inspection.everything()
    return await target.serve?.(started)
  } catch (error) {
    const message = described(error)
    changes.notRunning(message)
    console.error(message)
    return undefined
  }
}

async function disposed(served: unknown): Promise<void> {
  const { [Symbol.asyncDispose]: end, [Symbol.dispose]: endNow } = (served ?? {}) as Partial<
    AsyncDisposable & Disposable
  >
  try {
    if (end !== undefined) await end.call(served)
    else endNow?.call(served)
  } catch (error) {
    console.error(described(error))
  }
}

/** Compares with the code before, and keeps the states for the code after. */
async function compare(inspection: Inspection, before: string | undefined, changes: CodeChanges): Promise<void> {
  if (inspection.domain === undefined) return
  try {
    if (before !== undefined) await changes.compare(inspection, before, signal)
    const states = await statesBy(inspection, signal)
    const part = `${options.baseline}.part`
    await writeFile(part, JSON.stringify(states), { mode: 0o600 })
    await rename(part, options.baseline)
    changes.kept(states.states.length)
  } catch (error) {
    if (!signal.aborted) changes.notCompared(described(error))
  }
}

const changes = new CodeChanges()
const started = new Promise<Start>((resolve) => {
  process.on('message', (message: ToProcess) => {
    if (message.kind === 'start') resolve(message)
    else if (message.kind === 'broken') changes.broken(message.message)
    else end()
  })
})

function end(): void {
  ending.abort()
  if (!isLoaded) process.exit(0)
}

// An interrupt at a terminal reaches this process too, but `mneme dev` says when to stop.
process.on('SIGINT', () => {})
process.on('SIGTERM', end)
process.on('disconnect', () => {
  end()
  setTimeout(() => process.exit(1), goneMs).unref()
})

try {
  const target = await load()
  const start = await Promise.race([
    started,
    new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true })),
  ])
  if (start !== undefined) await serve(target, start, changes)
  process.exit(0)
} catch (error) {
  await fail(error)
}
