/**
 * A value of JSON, in which places that changed are marked. It is made by functions and not by components, because the
 * slider makes a new one in each frame.
 */
import type { ComponentChildren } from 'preact'
import type { ChangeView, Json } from '../src/studio/views.ts'

/** How many entries of one list or object are shown before the rest is only counted. */
const entriesMax = 200
/** How many values are shown in all. A page with more becomes slow. */
const valuesMax = 2000
/** How many characters are shown of one text. */
const textMax = 5000

type Path = ChangeView['path']

interface JsonProps {
  readonly value: Json
  /** The places that changed, which are marked with all that is below them. */
  readonly changed?: readonly ChangeView[]
  /** Called when somebody picks a value. Without it, values are only shown. */
  readonly onPick?: (path: ChangeView['path']) => void
}

export function JsonView({ value, changed = [], onPick }: JsonProps) {
  const marked = new Set(changed.filter((change) => 'after' in change).map(({ path }) => JSON.stringify(path)))
  return <pre class="json">{shownValue(value, [], { marked, onPick, left: valuesMax })}</pre>
}

/** What all parts of a value share while they are made. */
interface Making {
  readonly marked: ReadonlySet<string>
  readonly onPick: JsonProps['onPick']
  /** How many values may still be shown. */
  left: number
}

function shownValue(value: Json, path: Path, making: Making): ComponentChildren {
  making.left--
  const content = typeof value === 'object' && value !== null ? group(value, path, making) : leaf(value, path, making)
  return making.marked.size > 0 && making.marked.has(JSON.stringify(path)) ? <mark>{content}</mark> : content
}

/** A value without parts. */
function leaf(value: Json, path: Path, { onPick }: Making): ComponentChildren {
  const kind = value === null ? 'null' : typeof value
  const text = JSON.stringify(typeof value === 'string' ? shortened(value) : value)
  if (onPick === undefined) return <span class={kind}>{text}</span>
  return (
    <button type="button" class={`pick ${kind}`} title="Which events made it so?" onClick={() => onPick(path)}>
      {text}
    </button>
  )
}

const shortened = (text: string): string =>
  text.length <= textMax ? text : `${text.slice(0, textMax)} ... ${text.length - textMax} more characters`

function group(value: object, path: Path, making: Making): ComponentChildren {
  const isList = Array.isArray(value)
  const keys: readonly (string | number)[] = isList ? [...value.keys()] : Object.keys(value)
  const [open, close] = isList ? '[]' : '{}'
  if (keys.length === 0) return <span class="punctuation">{`${open}${close}`}</span>
  const indent = '  '.repeat(path.length + 1)
  const lines: ComponentChildren[] = []
  for (const key of keys.slice(0, entriesMax)) {
    if (making.left <= 0) break
    lines.push(
      <span key={key}>
        {`\n${indent}`}
        {!isList && <span class="key">{JSON.stringify(key)}: </span>}
        {shownValue((value as Readonly<Record<string | number, Json>>)[key] as Json, [...path, key], making)}
        {lines.length < keys.length - 1 && <span class="punctuation">,</span>}
      </span>,
    )
  }
  return (
    <>
      <span class="punctuation">{open}</span>
      {lines}
      {keys.length > lines.length && <span class="more">{`\n${indent}... ${keys.length - lines.length} more`}</span>}
      {`\n${'  '.repeat(path.length)}`}
      <span class="punctuation">{close}</span>
    </>
  )
}
