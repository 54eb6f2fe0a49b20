/** What a reaction has still to do, and its scheduled commands. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { BeginningView, Json } from '../src/studio/views.ts'
import { api } from './api.ts'
import { Begins, Failure, Line, Time, Type } from './parts.tsx'
import { place, streamLink } from './place.ts'

type Fields = Readonly<Record<string, Json>>

interface List {
  readonly items: readonly Json[]
  readonly next?: string
  readonly isElsewhere?: boolean
  readonly beginning?: BeginningView
}

export function ReactionScreen() {
  const [, name = ''] = place.value.path
  return (
    <section>
      <h2>
        Reaction <b>{name}</b>
      </h2>
      <h3>Waiting</h3>
      <Pages
        key={`waiting ${name}`}
        read={(after) => api.waiting(name, after)}
        shown={(item) => <Waiting item={item} />}
        empty="It has handled everything."
      />
      <h3 class="apart">Scheduled commands</h3>
      <Pages
        key={`timers ${name}`}
        read={async (after) => {
          const { timers: items, ...rest } = await api.timers(name, after)
          return { items, ...rest }
        }}
        shown={(item) => <Timer item={item} />}
        empty="Nothing is scheduled."
      />
    </section>
  )
}

interface PagesProps {
  readonly read: (after?: string) => Promise<List>
  readonly shown: (item: Fields) => preact.JSX.Element
  readonly empty: string
}

function Pages({ read, shown, empty }: PagesProps) {
  const found = useSignal<List | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  const more = async (after?: string) => {
    try {
      const page = await read(after)
      found.value = { ...page, items: [...(after === undefined ? [] : (found.value?.items ?? [])), ...page.items] }
    } catch (error) {
      failure.value = (error as Error).message
    }
  }
  useEffect(() => void more(), [])
  if (failure.value !== undefined) return <Failure message={failure.value} />
  if (found.value === undefined) return <p class="empty">Loading ...</p>
  const { items, next, isElsewhere, beginning } = found.value
  return (
    <>
      {isElsewhere && <p class="faint">Another process runs it. What is in progress there is shown as unhandled.</p>}
      {beginning !== undefined && (
        <p class="faint">
          It has never run. It begins <Begins beginning={beginning} />.
        </p>
      )}
      {items.length === 0 && <p class="empty">{beginning === undefined ? empty : 'Nothing is waiting.'}</p>}
      <ul class="plain">
        {items.map((item, i) => (
          <li key={String(i)} class="panel">
            {shown(item as Fields)}
          </li>
        ))}
      </ul>
      {next !== undefined && (
        <button type="button" onClick={() => more(next)}>
          More
        </button>
      )}
    </>
  )
}

function Waiting({ item }: { readonly item: Fields }) {
  const { position, type, why, error, behind, attempts, nextAt, parkedAt, dueAt, command, stepsDone } = item
  const stream = item['stream'] as { readonly aggregate: string; readonly id: string }
  return (
    <>
      <Type name={String(type)} /> <span class="faint">at {Number(position)} of</span>{' '}
      <a href={streamLink(stream.aggregate, stream.id)}>
        {stream.aggregate}/<b>{stream.id}</b>
      </a>{' '}
      <b class="why">{String(why)}</b>
      {behind !== undefined && <span class="faint"> behind position {Number(behind)}</span>}
      {attempts !== undefined && Number(attempts) > 0 && <span class="faint"> {Number(attempts)} failed</span>}
      {nextAt !== undefined && (
        <>
          {' '}
          next at <Time at={String(nextAt)} />
        </>
      )}
      {parkedAt !== undefined && (
        <>
          {' '}
          since <Time at={String(parkedAt)} />
        </>
      )}
      {dueAt !== undefined && (
        <>
          {' '}
          at <Time at={String(dueAt)} />
        </>
      )}
      {error !== undefined && <div>{String(error)}</div>}
      {command !== undefined && <Command command={command as Fields} />}
      {Array.isArray(stepsDone) && stepsDone.length > 0 && <div class="faint">done: {stepsDone.join(', ')}</div>}
    </>
  )
}

function Timer({ item }: { readonly item: Fields }) {
  const { dueAt, command, position, key, failures } = item
  return (
    <>
      <Time at={String(dueAt)} /> <Command command={command as Fields} />
      <span class="faint">
        from position {Number(position)}
        {key !== undefined && `, key ${key}`}
        {Number(failures) > 0 && `, ${failures} failed`}
      </span>
    </>
  )
}

/** The data of a command is there only where the library tells it. */
function Command({ command }: { readonly command: Fields }) {
  const { aggregate, id, name, data } = command
  return (
    <div>
      <code class="chip">{String(name)}</code>
      to{' '}
      <a href={streamLink(String(aggregate), String(id))}>
        {String(aggregate)}/<b>{String(id)}</b>
      </a>{' '}
      {data !== undefined && <Line value={data} />}
    </div>
  )
}
