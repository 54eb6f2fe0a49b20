/** A value of JSON, in which places that changed are marked. */
import type { ChangeView, Json } from '../src/studio/views.ts'

/** How many entries of one list or object are shown before the rest is only counted. */
const entriesMax = 200

type Path = ChangeView['path']

const keyOf = (path: Path): string => JSON.stringify(path)

interface JsonProps {
  readonly value: Json
  /** The places that changed, which are marked with all that is below them. */
  readonly changed?: readonly ChangeView[]
  /** Called when somebody picks a value. Without it, values are only shown. */
  readonly onPick?: (path: ChangeView['path']) => void
}

export function JsonView({ value, changed = [], onPick }: JsonProps) {
  const marked = new Set(changed.filter((change) => 'after' in change).map(({ path }) => keyOf(path)))
  return (
    <pre class="json">
      <Value value={value} path={[]} marked={marked} depth={0} onPick={onPick} />
    </pre>
  )
}

interface ValueProps {
  readonly value: Json
  readonly path: Path
  readonly marked: ReadonlySet<string>
  readonly depth: number
  readonly onPick: JsonProps['onPick']
}

function Value({ value, path, marked, depth, onPick }: ValueProps) {
  const content =
    typeof value === 'object' && value !== null ? (
      <Group value={value} path={path} marked={marked} depth={depth} onPick={onPick} />
    ) : (
      <Leaf value={value} onPick={onPick && (() => onPick(path))} />
    )
  return marked.has(keyOf(path)) ? <mark>{content}</mark> : content
}

/** A value without parts. */
function Leaf({ value, onPick }: { readonly value: Json; readonly onPick: (() => void) | undefined }) {
  const kind = value === null ? 'null' : typeof value
  if (onPick === undefined) return <span class={kind}>{JSON.stringify(value)}</span>
  return (
    <button type="button" class={`pick ${kind}`} title="Which events made it so?" onClick={onPick}>
      {JSON.stringify(value)}
    </button>
  )
}

function Group({ value, path, marked, depth, onPick }: ValueProps & { readonly value: object }) {
  const isList = Array.isArray(value)
  const entries: readonly (readonly [string | number, Json])[] = isList
    ? (value as readonly Json[]).map((each, i) => [i, each] as const)
    : Object.entries(value as Readonly<Record<string, Json>>)
  const [open, close] = isList ? ['[', ']'] : ['{', '}']
  if (entries.length === 0) return <span class="punctuation">{open + close}</span>
  const indent = '  '.repeat(depth + 1)
  return (
    <>
      <span class="punctuation">{open}</span>
      {entries.slice(0, entriesMax).map(([key, each], i) => (
        <span key={key}>
          {`\n${indent}`}
          {!isList && <span class="key">{JSON.stringify(key)}: </span>}
          <Value value={each} path={[...path, key]} marked={marked} depth={depth + 1} onPick={onPick} />
          {i < entries.length - 1 && <span class="punctuation">,</span>}
        </span>
      ))}
      {entries.length > entriesMax && <span class="more">{`\n${indent}... ${entries.length - entriesMax} more`}</span>}
      {`\n${'  '.repeat(depth)}`}
      <span class="punctuation">{close}</span>
    </>
  )
}
