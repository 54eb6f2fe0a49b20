/**
 * Changes JSON in the ways in which a program or a person gets it wrong: another value, type or form of number, a field
 * too few or too many, a name twice, two fields exchanged, texts that are long, empty or half a character. The result
 * is a text, since much of this is no value of JavaScript any more.
 */
import type { Random } from '../../../src/testing/random.ts'

type Node = null | boolean | number | string | Node[] | { [key: string]: Node }
type Parent = Node[] | { [key: string]: Node }

/** A place in a value. */
interface Spot {
  readonly parent: Parent
  readonly key: string
}

const long = 'x'.repeat(70_000)
/** JSON that stands where something else is expected. */
const odd: readonly string[] = [
  ...['null', 'true', 'false', '0', '-1', '-0', '1', '2', '1.5', '7e0', '1E2', '1e400', '-1e999', '5e-324'],
  ...['9007199254740991', '9007199254740992', '4294967296', '123456789012345678901234567890'],
  ...[
    '""',
    '" "',
    '"\\ud800"',
    '"a\\udfffb"',
    '"\\u0000"',
    '"\\u0001"',
    '"1"',
    '"__proto__"',
    '"constructor"',
    '"日本"',
  ],
  ...['[]', '{}', '[[]]', '[null]', '[1,2]', '["a","a"]', '{"__proto__":null}', '{"length":3}', '{"toJSON":1}'],
  ...[`"${long}"`, '['.repeat(5_000) + ']'.repeat(5_000), '['.repeat(200_000) + ']'.repeat(200_000)],
]
const names: readonly string[] = ['__proto__', 'constructor', 'toString', 'toJSON', 'length', 'then', 'extra', '']

/** One to three random changes to a text of JSON. A text that is not JSON is returned as it is. */
export function mutateJson(text: string, random: Random): string {
  let changed = text
  for (let left = random.int(1, 3); left > 0; left--) changed = mutateOnce(changed, random)
  return changed
}

function mutateOnce(text: string, random: Random): string {
  // A text that was made longer is left as it is: much of this takes a place on the stack for each level.
  const root = text.length > textMax ? undefined : parsed(text)
  if (root === undefined) return text
  const spots = spotsOf({ root })
  const spot = random.pick(spots)
  const other = random.pick(spots)
  const raw = random.pick(odd)
  const kinds: (() => string)[] = [
    () => replaced(root, spot, raw),
    () => replaced(root, spot, raw),
    () => removed(root, spot),
    () => exchanged(root, spot, other),
    () => renamed(root, spot, random.pick(names)),
    () => withNumberForm(text, random),
    () => withName(text, random.pick(names), raw, random),
    () => withNameTwice(text, raw, random),
  ]
  return random.pick(kinds)()
}

function parsed(text: string): Node | undefined {
  try {
    return JSON.parse(text) as Node
  } catch {
    return undefined
  }
}

const spotsMax = 2_000
const textMax = 9_000

/** Places of a value, and of what lies in it. */
function spotsOf(top: { [key: string]: Node }): readonly Spot[] {
  const spots: Spot[] = []
  const waiting: Parent[] = [top]
  for (let parent = waiting.shift(); parent !== undefined && spots.length < spotsMax; parent = waiting.shift()) {
    for (const key of Object.keys(parent)) {
      spots.push({ parent, key })
      const child = (parent as { [key: string]: Node })[key]
      if (typeof child === 'object' && child !== null) waiting.push(child)
    }
  }
  return spots
}

const get = ({ parent, key }: Spot): Node => (parent as { [key: string]: Node })[key]!
const set = ({ parent, key }: Spot, value: Node): void => {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true })
}
const isTop = (root: Node, { parent }: Spot): boolean => (parent as { root?: Node }).root === root

const mark = '\u0002raw\u0002'

function replaced(root: Node, spot: Spot, raw: string): string {
  if (isTop(root, spot)) return raw
  set(spot, mark)
  return JSON.stringify(root).replace(JSON.stringify(mark), () => raw)
}

function removed(root: Node, spot: Spot): string {
  if (isTop(root, spot)) return ''
  if (Array.isArray(spot.parent)) spot.parent.splice(Number(spot.key), 1)
  else delete spot.parent[spot.key]
  return JSON.stringify(root)
}

/** Each of them gets the other's value. A value is not put into itself, so both are copied. */
function exchanged(root: Node, one: Spot, other: Spot): string {
  if (isTop(root, one) || isTop(root, other)) return JSON.stringify([root])
  const [first, second] = [structuredClone(get(one)), structuredClone(get(other))]
  set(one, second)
  set(other, first)
  return JSON.stringify(root)
}

function renamed(root: Node, spot: Spot, name: string): string {
  if (Array.isArray(spot.parent) || isTop(root, spot)) return JSON.stringify(root)
  const value = get(spot)
  delete spot.parent[spot.key]
  set({ parent: spot.parent, key: name }, value)
  return JSON.stringify(root)
}

/** Another form of the same number, or nearly the same. */
function withNumberForm(text: string, random: Random): string {
  const found = [...text.matchAll(/(?<=[:,[])\d+(?=[,}\]])/g)]
  if (found.length === 0) return text
  const { 0: digits, index } = random.pick(found)
  const forms = [`${digits}.0`, `${digits}e0`, `${digits}.5`, `-${digits}`, `${digits}0`, `0${digits}`, `"${digits}"`]
  return text.slice(0, index) + random.pick(forms) + text.slice(index + digits.length)
}

function withName(text: string, name: string, raw: string, random: Random): string {
  const opened = [...text.matchAll(/\{(?=")/g)]
  if (opened.length === 0) return text
  const at = random.pick(opened).index + 1
  return `${text.slice(0, at)}${JSON.stringify(name)}:${raw},${text.slice(at)}`
}

/** A name that is there once more, before or after it. Readers of JSON take the last. */
function withNameTwice(text: string, raw: string, random: Random): string {
  const found = [...text.matchAll(/"(\w+)":/g)]
  if (found.length === 0) return text
  const name = random.pick(found)[0]
  if (random.chance(0.5) && text.endsWith('}')) return `${text.slice(0, -1)},${name}${raw}}`
  return text.startsWith('{') ? `{${name}${raw},${text.slice(1)}` : text
}
