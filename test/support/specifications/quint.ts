/**
 * Runs specifications in Quint: `<name>.qnt` beside the code that they describe. Each file has a module `model`, whose
 * invariant `safe` must hold, and a module `mutant`, which leaves out one rule and must break an invariant. The
 * simulator of Quint takes random steps from a seed. It writes each run as a trace: the action that was taken, what was
 * chosen, and the state after it.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed } from '../servers/cache-folder.ts'
import { leftOut, sized } from '../size.ts'
import type { Specification } from './specifications.ts'

const root = join(import.meta.dirname, '../../..')
const quint = join(root, 'node_modules/@informalsystems/quint')
const program = join(quint, 'dist/src/cli.js')

/** Why Quint cannot run here, as the reason that `skip` takes. With `CI=true` it must run. */
export const withoutQuint: string | undefined =
  existsSync(program) || process.env['CI'] === 'true' ? undefined : 'Quint is not installed: run npm ci'

/** How many traces are made of each specification. `MNEME_TRACES=2000` makes 2,000. */
const traceCount: number = Number(process.env['MNEME_TRACES'] ?? sized(200, 10))
const seed = process.env['MNEME_SEED'] ?? '1'
/** Each mutant is refuted within a few runs. */
const mutantRunsMax = 20_000

/** A value of Quint: a whole number, a text, a truth value, a set or list, a map, a tuple, or a record. */
export type Value =
  | number
  | string
  | boolean
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | { [field: string]: Value }

export interface Step {
  /** The action that was taken; `init` in the first step. */
  readonly action: string
  /** What was chosen for it, by the names of the specification. */
  readonly picked: { readonly [name: string]: Value }
  /** The state after it, by the names of its variables. */
  readonly state: { readonly [variable: string]: Value }
}

export type Trace = readonly Step[]

/**
 * Takes random steps of the model, and checks its invariant `safe` in every state.
 *
 * @throws if the invariant does not hold, with the steps that break it
 */
export async function traces({ path, stepsMax }: Specification): Promise<readonly Trace[]> {
  const options = [
    ...['--main=model', '--mbt', '--invariant=safe', `--max-steps=${stepsMax}`],
    ...[`--max-samples=${traceCount}`, `--n-traces=${traceCount}`],
  ]
  const make = async (folder: string) => {
    const { failed, said } = await run(path, seed, [...options, `--out-itf=${join(folder, '{seq}.json')}`])
    if (failed) throw new Error(`${path} does not hold:\n${said}`)
  }
  const read = async (folder: string) => {
    const files = await readdir(folder)
    return Promise.all(files.map(async (file) => traceOf(await readFile(join(folder, file), 'utf8'))))
  }
  if (leftOut !== undefined) return read(await installed(await nameOf(path, options), make))
  const folder = await mkdtemp(join(tmpdir(), 'mneme-model-'))
  try {
    await make(folder)
    return await read(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * What the quick run keeps traces under: the same specification, program and seed make the same ones, and most of the
 * time goes into starting Quint.
 */
async function nameOf(path: string, options: readonly string[]): Promise<string> {
  const texts = await Promise.all([join(root, path), join(quint, 'package.json')].map((file) => readFile(file, 'utf8')))
  const hash = createHash('sha256').update(JSON.stringify([...texts, seed, options]))
  return `traces-${hash.digest('hex').slice(0, 32)}`
}

/** Searches for steps of the mutant that break its invariant. @throws if there are none */
export async function refute({ path, stepsMax, mutant }: Specification): Promise<void> {
  const { said } = await run(path, mutant.seed ?? seed, [
    ...['--main=mutant', `--invariant=${mutant.breaks}`, `--max-steps=${stepsMax}`, `--max-samples=${mutantRunsMax}`],
  ])
  if (!said.includes('Invariant violated')) throw new Error(`The mutant of ${path} was not refuted:\n${said}`)
}

interface Ran {
  readonly failed: boolean
  readonly said: string
}

function run(path: string, from: string, options: readonly string[]): Promise<Ran> {
  const args = [program, 'run', path, '--backend=typescript', `--seed=${from}`, ...options]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 100_000_000 }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, said: `${stdout}\n${stderr}` })
    })
  })
}

/** Reads a trace in the Informal Trace Format. */
function traceOf(text: string): Trace {
  const { states } = JSON.parse(text) as { readonly states: readonly { readonly [name: string]: unknown }[] }
  return states.map((each) => {
    const state: Record<string, Value> = {}
    for (const [name, value] of Object.entries(each)) {
      if (!name.startsWith('#') && !name.startsWith('mbt::')) state[name.split('::').at(-1)!] = plain(value)
    }
    const picked: Record<string, Value> = {}
    for (const [name, pick] of Object.entries(each['mbt::nondetPicks'] as Record<string, Option>)) {
      if (pick.tag === 'Some') picked[name] = plain(pick.value)
    }
    return { action: each['mbt::actionTaken'] as string, picked, state }
  })
}

interface Option {
  readonly tag: 'Some' | 'None'
  readonly value: unknown
}

function plain(value: unknown): Value {
  if (typeof value !== 'object' || value === null) return value as string | boolean
  if (Array.isArray(value)) return value.map(plain)
  if ('#bigint' in value) return Number(value['#bigint'])
  if ('#set' in value) return (value['#set'] as unknown[]).map(plain)
  if ('#tup' in value) return (value['#tup'] as unknown[]).map(plain)
  if ('#map' in value) return new Map((value['#map'] as [unknown, unknown][]).map(([k, v]) => [plain(k), plain(v)]))
  return Object.fromEntries(Object.entries(value).map(([field, each]) => [field, plain(each)]))
}
