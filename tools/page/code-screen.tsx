/** What changed code makes of the same log, under `mneme dev`. */
import { signal } from '@preact/signals'
import type { DevelopmentView, RowsComparedView, StateDifferenceView, StatesComparedView } from '../src/studio/views.ts'
import { api } from './api.ts'
import { ChangeTable } from './change-table.tsx'
import { Failure, Time } from './parts.tsx'
import { streamLink } from './place.ts'

const development = signal<DevelopmentView | undefined>(undefined)
const everyMs = 1000

/** Asks again and again, and shows everything anew when other code runs. */
export function watchCode(): void {
  const look = async () => {
    if (document.visibilityState !== 'visible') return
    const { development: found } = await api.development()
    if (found === null) return
    if (development.value !== undefined && development.value.build !== found.build) location.reload()
    development.value = found
  }
  // While the program starts again, nobody answers.
  const again = () =>
    look()
      .catch(() => {})
      .then(() => setTimeout(again, everyMs))
  void again()
}

/** How many states and rows differ, beside the name of the screen. */
export function Differing() {
  const { states, rows } = development.value ?? { rows: [] }
  const count = rows.reduce((sum, { differing = 0 }) => sum + differing, states?.differing ?? 0)
  return count === 0 ? null : <span class="badge">{count.toLocaleString()}</span>
}

/** Why the newest code does not run, on every screen. */
export function CodeTrouble() {
  const { broken, notRunning } = development.value ?? {}
  return (
    <>
      {broken !== undefined && (
        <div class="failure" role="alert">
          <b>The newest code cannot be loaded. What you see is by the code before.</b>
          <pre>{broken}</pre>
        </div>
      )}
      {notRunning !== undefined && (
        <div class="failure" role="alert">
          <b>The domain, or the server beside it, does not run.</b>
          <pre>{notRunning}</pre>
        </div>
      )}
    </>
  )
}

export function CodeScreen() {
  const found = development.value
  if (found === undefined) return <p class="empty">Loading ...</p>
  const { states, rows, notCompared, kept, startedAt } = found
  return (
    <section class="code">
      <h2>Changed code</h2>
      <p class="faint">
        This code runs since <Time at={startedAt} />.{' '}
        {kept === undefined
          ? 'The states by this code are being computed, to be compared with those by the next.'
          : `The states of ${kept.toLocaleString()} ${kept === 1 ? 'stream' : 'streams'} by this code are kept: change a file to see what differs.`}
      </p>
      {notCompared !== undefined && <Failure message={notCompared} />}
      {states === undefined ? (
        <p class="empty">No file has changed yet.</p>
      ) : (
        <>
          <States states={states} />
          {rows.map((each) => (
            <Rows key={each.projection} found={each} />
          ))}
        </>
      )}
    </section>
  )
}

function States({ states }: { readonly states: StatesComparedView }) {
  const { since, streams, compared, differing, isOver, differences } = states
  return (
    <>
      <h3 class="apart">States</h3>
      <p>
        <b>{differing.toLocaleString()}</b> of {compared.toLocaleString()} differ from those by the code of{' '}
        <Time at={since} />.{!isOver && <progress max={Math.max(1, streams)} value={compared} aria-label="compared" />}
      </p>
      <ul class="plain cards">
        {differences.map((each) => (
          <StateDifference key={`${each.aggregate}/${each.id}`} difference={each} />
        ))}
      </ul>
      {differing > differences.length && <p class="faint">and {differing - differences.length} more</p>}
    </>
  )
}

function StateDifference({ difference }: { readonly difference: StateDifferenceView }) {
  const { aggregate, id, sequence, changes, more, failure, failureBefore } = difference
  return (
    <li class="panel">
      <a href={streamLink(aggregate, id, sequence)}>
        {aggregate}/<b>{id}</b> <span class="faint">#{sequence}</span>
      </a>
      {failure !== undefined && <Failure message={failure} />}
      {failureBefore !== undefined && <p class="faint">By the code before: {failureBefore}</p>}
      {changes.length > 0 && <ChangeTable changes={changes} more={more} />}
    </li>
  )
}

function Rows({ found }: { readonly found: RowsComparedView }) {
  const { projection, position, head, isOver, rows, differing, differences = [], left } = found
  return (
    <>
      <h3 class="apart">Rows of {projection}</h3>
      {left !== undefined && <p class="faint">{left}</p>}
      {left === undefined && !isOver && (
        <p>
          Building them again <progress max={Math.max(1, head)} value={position} aria-label="built" />
        </p>
      )}
      {isOver && (
        <p>
          <b>{differing?.toLocaleString()}</b> of {rows?.toLocaleString()} stored rows differ from those that this code
          builds.
        </p>
      )}
      <ul class="plain cards">
        {differences.map(({ key, isMissing, isGone, changes, more }) => (
          <li key={key} class="panel">
            <b>{key}</b>
            {isMissing && <span class="faint"> is new</span>}
            {isGone && <span class="faint"> is gone</span>}
            <ChangeTable changes={changes} more={more} />
          </li>
        ))}
      </ul>
    </>
  )
}
