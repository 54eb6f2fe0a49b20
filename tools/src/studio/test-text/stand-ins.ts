/**
 * Other values for personal ones, so that a test has the form of the data and nobody's data. Personal values are never
 * read: a stand-in is the first of some usual values that the schema takes. The same field of the same person always
 * has the same one.
 */
import { Personal } from '../../../../src/index.ts'
import { issuesOf, type Schema } from './checked.ts'

const depthMax = 100
const roundsMax = 100

type Path = readonly string[]

interface Place {
  readonly path: Path
  /** Whose value it is, and of which field. */
  readonly key: string
  readonly count: number
  readonly subject: string
  choice: number
}

export class StandIns {
  readonly #persons = new Map<string, number>()
  readonly #choices = new Map<string, number>()

  /** Whether there was a personal value. */
  get areUsed(): boolean {
    return this.#persons.size > 0
  }

  /**
   * The data of an event, with stand-ins that are personal values too.
   *
   * @param schema of the newest revision
   */
  inEvent(schema: Schema, data: unknown): unknown {
    const places = this.#placesIn(data, [])
    this.#choose(schema, data, places)
    return places.reduce((all, each) => putAt(all, each.path, Personal.of(each.subject, chosen(each))), data)
  }

  /**
   * The data of a command as they are typed, with plain stand-ins.
   *
   * @param checked what the schema has made of the data: it has personal values where a stand-in is needed
   */
  inCommand(schema: Schema, data: unknown, checked: unknown): unknown {
    const places = this.#placesIn(checked, [])
    this.#choose(schema, data, places)
    return withPlain(data, places)
  }

  /** Chooses values that the schema takes. */
  #choose(schema: Schema, data: unknown, places: readonly Place[]): void {
    for (let round = 0; places.length > 0 && round < roundsMax; round++) {
      const issues = issuesOf(schema, withPlain(data, places))
      const wrong = places.filter(({ path, choice }) => {
        return choice < lastChoice && issues.some((place) => isWithin(place, path))
      })
      if (wrong.length === 0) break
      for (const place of wrong) place.choice++
    }
    for (const { key, choice } of places) this.#choices.set(key, choice)
  }

  #placesIn(data: unknown, path: Path): readonly Place[] {
    if (typeof data !== 'object' || data === null || path.length > depthMax) return []
    if (data instanceof Personal) {
      const { subject } = data
      const count = this.#persons.get(subject) ?? this.#persons.size + 1
      this.#persons.set(subject, count)
      const field = path.filter((part) => !/^\d+$/.test(part)).join('.')
      const key = JSON.stringify([subject, field])
      return [{ path, key, count, subject, choice: this.#choices.get(key) ?? 0 }]
    }
    return Object.entries(data).flatMap(([name, part]) => this.#placesIn(part, [...path, name]))
  }
}

/** Values that many schemas take, for the person with a number. */
const usual = (count: number): readonly unknown[] => [
  `person${count}@example.org`,
  `Person ${count}`,
  `person${count}`,
  `+1555000${String(count).padStart(4, '0')}`,
  String(count),
  `https://example.org/${count}`,
  `2000-01-${String(((count - 1) % 28) + 1).padStart(2, '0')}`,
  `2000-01-${String(((count - 1) % 28) + 1).padStart(2, '0')}T00:00:00.000Z`,
  `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`,
  count,
  true,
  new Date(Date.UTC(2000, 0, count)),
  [],
  {},
  null,
  '[personal]',
]

const lastChoice = usual(1).length - 1

const chosen = ({ count, choice }: Place): unknown => usual(count)[choice]

const withPlain = (data: unknown, places: readonly Place[]): unknown =>
  places.reduce((all, place) => putAt(all, place.path, chosen(place)), data)

const isWithin = (place: Path, path: Path): boolean => path.every((part, i) => place[i] === part)

function putAt(data: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value
  if (Array.isArray(data)) return data.with(Number(key), putAt(data[Number(key)], rest, value))
  const fields = (typeof data === 'object' && data !== null ? data : {}) as Readonly<Record<string, unknown>>
  return { ...fields, [key]: putAt(fields[key], rest, value) }
}
