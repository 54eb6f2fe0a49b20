/** Values that are cut, so that no answer becomes too large for a browser, whatever is stored. */
import type { ChangeView, Json } from './views.ts'

/** A value of which at most about so many characters are left. */
export function brief(value: Json, charactersMax: number): { readonly value: Json; readonly isCut: boolean } {
  const cutting = new Cutting(charactersMax)
  return { value: cutting.cut(value), isCut: cutting.isCut }
}

export const briefText = (text: string, charactersMax: number): string => brief(text, charactersMax).value as string

const valueMax = 5000

/** Changes whose values are cut early. */
export const briefChanges = (changes: readonly ChangeView[]): readonly ChangeView[] =>
  changes.map(({ path, before, after }) => ({
    path,
    ...(before !== undefined && { before: brief(before, valueMax).value }),
    ...(after !== undefined && { after: brief(after, valueMax).value }),
  }))

class Cutting {
  #left: number
  isCut = false

  constructor(charactersMax: number) {
    this.#left = charactersMax
  }

  cut(value: Json): Json {
    if (typeof value === 'string') return this.#text(value)
    if (typeof value !== 'object' || value === null) {
      this.#left -= String(value).length
      return value
    }
    return Array.isArray(value) ? this.#list(value) : this.#fields(value as Readonly<Record<string, Json>>)
  }

  #text(text: string): string {
    if (text.length <= this.#left) {
      this.#left -= text.length + 2
      return text
    }
    this.isCut = true
    const kept = Math.max(0, this.#left)
    this.#left = 0
    // Not through the middle of a character.
    return `${text.slice(0, kept).toWellFormed()} ... ${(text.length - kept).toLocaleString('en')} more characters`
  }

  #list(list: readonly Json[]): Json {
    const kept: Json[] = []
    for (const item of list) {
      if (this.#left <= 0) {
        this.isCut = true
        kept.push(`... ${(list.length - kept.length).toLocaleString('en')} more`)
        break
      }
      kept.push(this.cut(item))
    }
    return kept
  }

  #fields(fields: Readonly<Record<string, Json>>): Json {
    const all = Object.entries(fields)
    const kept: [string, Json][] = []
    for (const [key, value] of all) {
      if (this.#left <= 0) {
        this.isCut = true
        kept.push(['...', `${(all.length - kept.length).toLocaleString('en')} more`])
        break
      }
      this.#left -= key.length + 4
      kept.push([key, this.cut(value)])
    }
    // Not by assignment, because a key may be `__proto__`.
    return Object.fromEntries(kept)
  }
}
