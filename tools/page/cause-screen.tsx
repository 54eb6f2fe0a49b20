/** What caused what: the tree of commands under a correlation. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { CauseView, TraceView } from '../src/studio/views.ts'
import { api } from './api.ts'
import { Failure, Time, Type } from './parts.tsx'
import { link, place, streamLink } from './place.ts'

export function CauseScreen() {
  const [, id = ''] = place.value.path
  return (
    <section class="cause">
      <h2>Causes and effects</h2>
      <CauseTree id={id} />
    </section>
  )
}

/**
 * @param id of a command or a correlation
 * @param position of the event that is marked
 * @param isQuiet whether only those near the position are looked for, when the reader has stopped, and one command is left out
 */
export function CauseTree({
  id,
  position,
  isQuiet = false,
}: {
  readonly id: string
  readonly position?: number
  readonly isQuiet?: boolean
}) {
  const trace = useSignal<TraceView | null | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  useEffect(() => {
    trace.value = undefined
    failure.value = undefined
    const ending = new AbortController()
    const read = () =>
      api.trace(id, isQuiet ? position : undefined, ending.signal).then(
        (answer) => {
          trace.value = answer.trace
        },
        (error: Error) => {
          if (!ending.signal.aborted) failure.value = error.message
        },
      )
    // While somebody moves the slider, a trace for each version would be in vain.
    const timer = setTimeout(read, isQuiet ? 300 : 0)
    return () => {
      clearTimeout(timer)
      ending.abort()
    }
  }, [id])
  if (failure.value !== undefined) return <Failure message={failure.value} />
  if (trace.value === undefined) return isQuiet ? null : <p class="empty">Reading the log ...</p>
  if (trace.value === null) return <p class="empty">No event has this id.</p>
  const { correlationId, roots, commands, isCut } = trace.value
  if (isQuiet && commands < 2) return null
  return (
    <>
      {isQuiet && (
        <h4>
          Cause and effects nearby{' '}
          <a href={link(['cause', id])} title="Those in the whole log">
            all
          </a>
        </h4>
      )}
      {!isQuiet && (
        <p class="faint">
          {commands} {commands === 1 ? 'command' : 'commands'} under the correlation <code>{correlationId}</code>
        </p>
      )}
      <ul class="tree">
        {roots.map((root) => (
          <Node key={root.commandId} node={root} position={position} />
        ))}
      </ul>
      {isCut && <p class="faint">The tree has more events than are shown.</p>}
    </>
  )
}

function Node({ node, position }: { readonly node: CauseView; readonly position: number | undefined }) {
  return (
    <li>
      <div class="node">
        <a href={link(['cause', node.commandId])} class="faint" title="The command">
          {node.aggregate}/{node.id}
        </a>
        {node.events.map((event) => (
          <a
            key={event.position}
            href={streamLink(node.aggregate, node.id, event.sequence)}
            aria-current={event.position === position}
          >
            <Type name={event.type} />
            <Time at={event.recordedAt} />
          </a>
        ))}
      </div>
      {node.effects.length > 0 && (
        <ul>
          {node.effects.map((effect) => (
            <Node key={`${effect.commandId} ${effect.aggregate} ${effect.id}`} node={effect} position={position} />
          ))}
        </ul>
      )}
    </li>
  )
}
