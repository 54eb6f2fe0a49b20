/**
 * Checks options by their names. An unknown option is refused, with the name that was probably meant. If a misspelt
 * option were ignored, the program would behave differently from what was asked, and nobody would notice.
 */
import { DefinitionError, InputError } from './error.ts'

/**
 * Refuses options that are not a record, or have an unknown key.
 *
 * @param what where the options belong, such as `history(options)`
 * @param given the options; `undefined` counts as none
 * @throws DefinitionError `OPTION_INVALID`
 */
export function checkKeys(what: string, given: unknown, known: readonly string[]): void {
  if (given === undefined) return
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    refuseOption(what, 'a record of options', given)
  }
  for (const option of Object.keys(given)) {
    if (known.includes(option)) continue
    const nearest = nearestOf(option, known)
    const expected = known.length === 0 ? `left out, because ${what} has no options` : `${listOf(known)}, in ${what}`
    const facts = { option, expected, ...(nearest !== undefined && { nearest }) }
    throw new DefinitionError('OPTION_INVALID', facts)
  }
}

/** @throws DefinitionError `OPTION_INVALID` */
export function refuseOption(option: string, expected: string, found: unknown): never {
  throw new DefinitionError('OPTION_INVALID', { option, expected, found })
}

/** Refuses an option that is given and not good. @throws DefinitionError `OPTION_INVALID` */
export function checkOption(option: string, found: unknown, isGood: (found: any) => boolean, expected: string): void {
  if (found !== undefined && !isGood(found)) refuseOption(option, expected, found)
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkFlag(option: string, found: unknown): void {
  checkOption(option, found, (flag) => typeof flag === 'boolean', 'true or false')
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkWhole(option: string, found: unknown, least: number): void {
  // No closure and no text is made for a number that is good: every commit has some.
  if (found !== undefined && !isWholeFrom(found, least)) refuseOption(option, `a whole number from ${least}`, found)
}

export const isWholeFrom = (found: unknown, least: number): boolean =>
  Number.isSafeInteger(found) && (found as number) >= least

/** @throws DefinitionError `OPTION_INVALID` */
export function checkSignal(signal: unknown): void {
  checkOption('signal', signal, isSignal, 'an AbortSignal')
}

/** Whether a value is an `AbortSignal`, of this realm or another. A value parsed from JSON never is. */
export function isSignal(candidate: unknown): candidate is AbortSignal {
  if (typeof candidate !== 'object' || candidate === null) return false
  if (candidate instanceof AbortSignal) return true
  const { addEventListener, [Symbol.toStringTag]: tag } = candidate as Partial<AbortSignal> & { [tag: symbol]: unknown }
  return tag === 'AbortSignal' && typeof addEventListener === 'function'
}

/** What was expected in place of something that is not a list. A string was probably meant as the only entry. */
export function listExpected(found: unknown, entries = ''): string {
  if (typeof found !== 'string') return entries === '' ? 'a list' : `a list of ${entries}`
  return `a list, such as ${JSON.stringify([found.slice(0, 40).toWellFormed()])}`
}

/** Names for a sentence: `one of a, b`. */
export const listOf = (known: readonly string[]): string => `one of ${known.join(', ')}`

/** The known name that was probably meant: at most a third of its letters differ. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  let nearest: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const distance = distanceOf(name.toLowerCase(), candidate.toLowerCase())
    const isNear = distance <= Math.ceil(candidate.length / 3)
    if (isNear && (nearest === undefined || distance < nearest.distance)) nearest = { name: candidate, distance }
  }
  return nearest?.name
}

/** How many letters must be changed, added or removed to turn one text into the other. */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > b.length) return a.length
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min(changed, row[j]! + 1, next[j - 1]! + 1)
    }
    row = next
  }
  return row[b.length]!
}

/**
 * Refuses a cursor that is not the `next` of an earlier page. Cursors usually come back from clients.
 *
 * @throws InputError `CURSOR_INVALID`; DefinitionError `OPTION_INVALID` if it is no text
 */
export function checkCursor(after: string | undefined, isPlace: (cursor: string) => boolean): void {
  checkOption('after', after, (found) => typeof found === 'string', 'the `next` of an earlier page')
  if (after !== undefined && !isPlace(after)) throw new InputError('CURSOR_INVALID', { cursor: after })
}
