/**
 * Loads the scenarios with a text of the source replaced, and looks for a run that shows the difference. Nothing is
 * copied: the modules of the project are loaded once more, each with the number of the change in its address, and the
 * text of one of them is changed on the way.
 */
import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { SimulationFailed } from '../../../src/testing/simulation/simulate.ts'
import type { Scenario } from './scenarios.ts'

/** Replaces a text that stands once in a file of the project. */
export interface Mutation {
  /** The file, below `src/`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const rootUrl = new URL('../../../', import.meta.url).href
const mark = '?planted='

/** By the number in the address. */
const planted: Mutation[] = []

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    const [, number] = context.parentURL?.split(mark) ?? []
    const isOurs = resolved.url.startsWith(rootUrl) && !resolved.url.includes('/node_modules/')
    return number === undefined || !isOurs ? resolved : { ...resolved, url: `${resolved.url}${mark}${number}` }
  },
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const [address, number] = url.split(mark)
    if (number === undefined) return loaded
    const { file, find, replace } = planted[Number(number)]!
    if (address !== `${rootUrl}src/${file}`) return loaded
    const text = String(loaded.source)
    assert.equal(text.split(find).length - 1, 1, `${fileURLToPath(address)} has the text exactly once: ${find}`)
    return { ...loaded, source: text.replace(find, () => replace) }
  },
})

/** Loads a file of this folder, and all that it imports, with the change. */
export async function loadWith(mutation: Mutation, file: string): Promise<unknown> {
  const number = planted.push(mutation) - 1
  const { href } = pathToFileURL(`${import.meta.dirname}/${file}`)
  return import(`${href}${mark}${number}`)
}

/** Where a bug was found. */
export interface Found {
  readonly scenario: string
  readonly seed: number
  /** The promise that it broke. */
  readonly broken: string
}

/** A run that breaks a promise, with the number of its steps. */
export interface Broken extends Found {
  readonly actions: number
}

/** The number of seeds in which each bug is looked for. */
export const seedsMax = 1000

/**
 * Looks for the first seed at which a run breaks a promise.
 *
 * @param first a run that is known to have found it; it is tried before all others
 * @param minimise looks for the smallest run that still breaks the promise
 */
export async function findBug(
  mutation: Mutation,
  first?: Pick<Found, 'scenario' | 'seed'>,
  minimise = false,
): Promise<Broken | undefined> {
  const { scenarios } = (await loadWith(mutation, 'scenarios.ts')) as { readonly scenarios: readonly Scenario[] }
  const brokenBy = async ({ name, run }: Scenario, seed: number): Promise<Broken | undefined> => {
    try {
      await run(seed, 40, minimise)
      return undefined
    } catch (error) {
      // Its class was loaded once more, too.
      if (!(error instanceof Error && 'broken' in error)) throw error
      const { broken, actions } = error as SimulationFailed
      return { scenario: name, seed, broken, actions }
    }
  }
  const known = first === undefined ? undefined : scenarios.find(({ name }) => name === first.scenario)
  if (known !== undefined) {
    const found = await brokenBy(known, first!.seed)
    if (found !== undefined) return found
  }
  for (let seed = 1; seed <= seedsMax; seed++) {
    for (const scenario of scenarios) {
      const found = await brokenBy(scenario, seed)
      if (found !== undefined) return found
    }
  }
  return undefined
}
