/** What became of commands in another world, and how it differs from the real one. */
import type { ChangeView, OutcomeView, SideView, TriedCommand, WorldView } from '../src/studio/views.ts'
import { ChangeTable } from './change-table.tsx'
import { JsonView } from './json-view.tsx'
import { Failure, Line, Type } from './parts.tsx'

/** What a command led to, in a few words. */
export function Verdict({ outcome }: { readonly outcome: OutcomeView }) {
  const { rejection, failure, events } = outcome
  if (failure !== undefined) return <span class="refused">{failure.code}</span>
  if (rejection !== undefined) return <span class="refused">rejected: {rejection.code}</span>
  return <span class="accepted">{events.length === 0 ? 'accepted, nothing to do' : 'accepted'}</span>
}

interface OutcomeProps {
  readonly command: TriedCommand
  /** Absent while it is not known. */
  readonly outcome: OutcomeView | undefined
  readonly onRemove: () => void
}

export function Outcome({ command, outcome, onRemove }: OutcomeProps) {
  return (
    <li>
      <div class="head">
        <b>{command.name}</b> <Line value={command.data} />
        <button type="button" class="close" aria-label={`Remove ${command.name}`} onClick={onRemove}>
          ×
        </button>
      </div>
      {outcome !== undefined && (
        <>
          <Verdict outcome={outcome} />{' '}
          {outcome.rejection?.details !== undefined && <Line value={outcome.rejection.details} />}
          {outcome.failure !== undefined && <Failure message={outcome.failure.message} />}
          {outcome.events.map(({ type, data }, i) => (
            <div key={i} class="made">
              <Type name={type} /> <Line value={data} />
            </div>
          ))}
          {outcome.events.length > 0 && <ChangeTable changes={outcome.changes} more={outcome.more} />}
        </>
      )}
    </li>
  )
}

/** The states and events of both, and what differs. */
export function BothWorlds({ view, isSame }: { readonly view: WorldView; readonly isSame: boolean }) {
  const { real, other, changes, more, differsFrom } = view
  const inOther = changes.filter((change) => 'after' in change)
  const inReal = changes.map(
    ({ path, before }): ChangeView => ({ path, ...(before !== undefined && { after: before }) }),
  )
  return (
    <div class="panel both">
      <h3>Both worlds</h3>
      {isSame && <p class="empty">Try a command, or change an event. What differs appears here.</p>}
      {changes.length === 0 ? (
        <p class="empty">Their states are equal.</p>
      ) : (
        <>
          <p class="faint">From the real state to the other one:</p>
          <ChangeTable changes={changes} more={more} />
        </>
      )}
      <div class="sides">
        <Side title="Real" side={real} from={differsFrom} changed={inReal.filter((change) => 'after' in change)} />
        <Side title="Other" side={other} from={differsFrom} changed={inOther} />
      </div>
    </div>
  )
}

function Side({
  title,
  side,
  from,
  changed,
}: {
  readonly title: string
  readonly side: SideView
  readonly from: number
  readonly changed: readonly ChangeView[]
}) {
  const { end, state, failure, events, more } = side
  return (
    <section aria-label={`${title} world`}>
      <h4>
        {title} <span class="faint">version {end}</span>
      </h4>
      {failure !== undefined && <Failure message={failure} />}
      {state !== undefined && <JsonView value={state} changed={changed} />}
      <h4>Events from {from} on</h4>
      {events.length === 0 && <p class="faint">none</p>}
      <ol class="plain">
        {events.map((event) => (
          <li key={event.sequence} class="made">
            <span class="faint">{event.sequence}</span> <Type name={event.type} /> <Line value={event.data} />
          </li>
        ))}
      </ol>
      {more > 0 && <p class="faint">and {more} more</p>}
    </section>
  )
}
