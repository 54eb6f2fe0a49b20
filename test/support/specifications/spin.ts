/**
 * Explores a model in Promela (`<name>.pml` beside the code) with SPIN: every order of all steps. SPIN is the `spin` on
 * PATH. With `CI=true` it is also taken from the package of Debian, which is put into the cache folder. It writes a
 * program in C, so there must be a compiler too.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { exists, installed } from '../servers/cache-folder.ts'

const run = promisify(execFile)
/** The most steps of one run. */
const depthMax = 100_000
const root = join(import.meta.dirname, '../../..')

/** The programs, or why there are none. */
export type Spin = { readonly spin: string; readonly compiler: string } | { readonly missing: string }

/** What an exploration has found. */
export interface Exploration {
  readonly states: number
  /** The assertion that does not hold. */
  readonly violated: string | undefined
  /** Lines of the model that no run reaches. */
  readonly unreached: readonly string[]
}

export async function findSpin(): Promise<Spin> {
  const compiler = (await onPath('cc')) ?? (await onPath('gcc'))
  if (compiler === undefined) return { missing: 'there is no compiler for C (cc or gcc) on PATH' }
  const spin = await onPath('spin')
  if (spin !== undefined) return { spin, compiler }
  if (process.env['CI'] !== 'true') return { missing: 'there is no spin on PATH (Debian: apt-get install spin)' }
  try {
    return { spin: join(await installed('spin-of-debian', unpackPackage), 'usr/bin/spin'), compiler }
  } catch (error) {
    return { missing: `there is no spin on PATH, and its package could not be had: ${error}` }
  }
}

async function onPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await exists(join(folder, program)))) return join(folder, program)
  }
  return undefined
}

/** Whichever version Debian has. */
async function unpackPackage(folder: string): Promise<void> {
  const download = () => run('apt-get', ['download', 'spin'], { cwd: folder })
  await download().catch(async () => {
    await run('apt-get', ['update'])
    await download()
  })
  for (const file of await readdir(folder)) {
    await run('dpkg', ['-x', join(folder, file), folder])
    await rm(join(folder, file))
  }
}

/** @param definitions `-D...`, as for the preprocessor */
export async function explore(
  programs: Exclude<Spin, { readonly missing: string }>,
  path: string,
  definitions: readonly string[],
): Promise<Exploration> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-spin-'))
  try {
    // Without merging of statements (-o3) the list of unreached lines is whole.
    await run(programs.spin, [...definitions, '-o3', '-a', resolve(root, path)], { cwd: folder })
    await run(programs.compiler, ['-w', '-O1', '-DSAFETY', '-o', 'pan', 'pan.c'], { cwd: folder })
    // The models are bounded, so they may end anywhere (-E).
    const { stdout } = await run(join(folder, 'pan'), [`-m${depthMax}`, '-w22', '-E'], { cwd: folder })
    if (/max search depth too small|out of memory/.test(stdout)) throw new Error(`${path} was not explored:\n${stdout}`)
    const states = /(\d+) states, stored/.exec(stdout)?.[1]
    if (states === undefined) throw new Error(`${path} was not explored:\n${stdout}`)
    const unreached = Array.from(stdout.matchAll(/^\t\S+:\d+, state \d+, "(.*)"$/gm), ([, line]) => line!)
    return {
      states: Number(states),
      violated: /assertion violated (.*) \(at depth/.exec(stdout)?.[1],
      unreached: unreached.filter((line) => line !== '-end-'),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
