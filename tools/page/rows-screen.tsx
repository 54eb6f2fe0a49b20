/** The rows of a projection, and the events that made one of them. */
import { signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { RowEndView, RowsView } from '../src/studio/views.ts'
import { api, type RowName } from './api.ts'
import { Failure, Line } from './parts.tsx'
import { go, link, place } from './place.ts'
import type { StepsSource } from './steps.ts'
import { Versions } from './stream-screen.tsx'

/** `@state` stands for the one row of a projection that has no keys. */
const rowLink = (projection: string, key: string, at?: number): string =>
  link(['row', projection, key === '' ? '@state' : key, ...(at === undefined ? [] : [String(at)])])

export function RowsScreen() {
  const { path, query } = place.value
  const [, projection = ''] = path
  const key = query.get('key') ?? ''
  const found = useSignal<RowsView['rows']>([])
  const next = useSignal<string | undefined>(undefined)
  const state = useSignal<'reading' | 'read' | Error>('reading')
  const read = async (after?: string) => {
    try {
      const page = await api.rows(projection, key, after)
      found.value = after === undefined ? page.rows : [...found.value, ...page.rows]
      next.value = page.next
      state.value = 'read'
    } catch (error) {
      state.value = error as Error
    }
  }
  useEffect(() => {
    state.value = 'reading'
    void read()
  }, [projection, key])
  return (
    <section>
      <h2>
        Rows of <b>{projection}</b>
      </h2>
      <form class="bar" onSubmit={(submitted) => submitted.preventDefault()}>
        <label class="filter">
          key{' '}
          <input
            value={key}
            placeholder="any"
            onChange={({ currentTarget: { value } }) =>
              go(link(['rows', projection], { key: value }), { isSame: true })
            }
          />
        </label>
      </form>
      {state.value instanceof Error && <Failure message={state.value.message} />}
      {state.value === 'reading' && <p class="empty">Loading ...</p>}
      {state.value === 'read' && found.value.length === 0 && <p class="empty">There is no such row.</p>}
      <ul class="plain rows">
        {found.value.map(({ key: each, row }) => (
          <li key={each} class="panel">
            <a href={rowLink(projection, each)} title="The events that made it">
              <b>{each === '' ? 'the state' : each}</b>
            </a>{' '}
            <Line value={row} />
          </li>
        ))}
      </ul>
      {next.value !== undefined && (
        <button type="button" onClick={() => read(next.value)}>
          More rows
        </button>
      )}
    </section>
  )
}

/** How far the log was looked through for the events of the row that is shown. */
const looked = signal<RowEndView | undefined>(undefined)

/** Looks through the log until all events are found. What was found in between can be moved along already. */
function sourceOf(row: RowName): StepsSource {
  const look = async (aborted?: AbortSignal) => {
    looked.value = await api.row.end(row, aborted)
    return looked.value.end
  }
  return {
    async steps(from, count, aborted) {
      if (looked.value === undefined) await look(aborted)
      return api.row.steps(row, from, count, aborted)
    },
    end: look,
  }
}

export function RowScreen() {
  const [, projection = '', name = '', at] = place.value.path
  const key = name === '@state' ? '' : name
  const row = { projection, key }
  return (
    <Versions
      key={JSON.stringify(row)}
      source={() => {
        looked.value = undefined
        return sourceOf(row)
      }}
      at={at}
      linkTo={(number) => rowLink(projection, key, number)}
      ask={(path, number, signal) => api.row.reasons(row, path, number, signal)}
      what="Row"
      beginning="There is no row yet."
      isLooking={() => looked.value === undefined || looked.value.looked < looked.value.head}
      heading={() => (
        <>
          <h2>
            Row {key !== '' && <b>{key}</b>} of <a href={link(['rows', projection])}>{projection}</a>
          </h2>
          <Looked />
        </>
      )}
    />
  )
}

function Looked() {
  if (looked.value === undefined) return null
  const { looked: at, head, end } = looked.value
  if (at >= head) return end === 0 ? <p class="empty">No event has touched this row.</p> : null
  return (
    <p class="faint">
      Looking through the log for its events <progress max={Math.max(1, head)} value={at} aria-label="looked" />
    </p>
  )
}
