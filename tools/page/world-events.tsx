/** The events before the fork, each of which can be changed or left out in the other world. */
import { useSignal } from '@preact/signals'
import type { EventView, Json, WorldQuestion } from '../src/studio/views.ts'
import { api } from './api.ts'
import { Line, Type } from './parts.tsx'
import { JsonField } from './schema-form.tsx'
import { maskedAs } from './world.ts'

type Edits = WorldQuestion['edits']

interface Props {
  readonly events: readonly EventView[]
  readonly sequence: number
  readonly edits: Edits
  readonly onChange: (edits: Edits) => void
}

export function OtherEvents({ events, sequence, edits, onChange }: Props) {
  const open = useSignal<number | undefined>(undefined)
  const without = (at: number) => edits.filter((edit) => edit.sequence !== at)
  const first = events[0]?.sequence ?? 1
  const change = (edit: Edits[number]) => {
    open.value = undefined
    onChange([...without(edit.sequence), edit])
  }
  return (
    <div class="panel world-events">
      <h3>Events up to {sequence}</h3>
      {first > 1 && <p class="faint">{first - 1} before</p>}
      {events.length === 0 && <p class="empty">None: the aggregate begins.</p>}
      <ol class="plain">
        {events.map((event) => (
          <OtherEvent
            key={event.sequence}
            event={event}
            edit={edits.find((each) => each.sequence === event.sequence)}
            isOpen={open.value === event.sequence}
            onOpen={(isOpen) => {
              open.value = isOpen ? event.sequence : undefined
            }}
            onChange={change}
            onUndo={() => onChange(without(event.sequence))}
          />
        ))}
      </ol>
    </div>
  )
}

interface EventProps {
  readonly event: EventView
  readonly edit: Edits[number] | undefined
  readonly isOpen: boolean
  readonly onOpen: (isOpen: boolean) => void
  readonly onChange: (edit: Edits[number]) => void
  readonly onUndo: () => void
}

function OtherEvent({ event, edit, isOpen, onOpen, onChange, onUndo }: EventProps) {
  const { sequence, type, data } = event
  const isLeftOut = edit !== undefined && edit.data === undefined
  const whole = useSignal(event)
  const open = async () => {
    // What is listed may be cut.
    if (!isOpen && whole.value.isCut) whole.value = await api.event(event.position).catch(() => whole.value)
    onOpen(!isOpen)
  }
  return (
    <li>
      <div class="head">
        <span class="faint">{sequence}</span> {isLeftOut ? <del>{type}</del> : <Type name={type} />}{' '}
        {edit?.data === undefined ? (
          !isLeftOut && <Line value={data} />
        ) : (
          <mark>
            <Line value={edit.data} />
          </mark>
        )}
        <span class="actions">
          {edit !== undefined && (
            <button type="button" aria-label={`Undo ${sequence}`} onClick={onUndo}>
              undo
            </button>
          )}
          <button type="button" aria-label={`Edit ${sequence}`} aria-expanded={isOpen} onClick={open}>
            edit
          </button>
          {!isLeftOut && (
            <button type="button" aria-label={`Leave out ${sequence}`} onClick={() => onChange({ sequence })}>
              ×
            </button>
          )}
        </span>
      </div>
      {isOpen && whole.value.isCut && <p class="faint">Its data is too long to be edited here.</p>}
      {isOpen && !whole.value.isCut && (
        <EditForm
          data={edit?.data ?? whole.value.stored ?? whole.value.data}
          label={`Event ${sequence}`}
          onDone={(after) => onChange({ sequence, data: maskedAs(whole.value.stored ?? whole.value.data, after) })}
        />
      )}
    </li>
  )
}

/** The data of an event as they are stored. Personal values stay as they are. */
function EditForm({
  data,
  label,
  onDone,
}: {
  readonly data: Json
  readonly label: string
  readonly onDone: (data: Json) => void
}) {
  const draft = useSignal(data)
  const submit = (submitted: SubmitEvent) => {
    submitted.preventDefault()
    const form = submitted.currentTarget as HTMLFormElement
    if (form.querySelector('[aria-invalid="true"]') === null) onDone(draft.value)
  }
  return (
    <form onSubmit={submit}>
      <JsonField
        value={draft.value}
        label={label}
        onChange={(after) => {
          draft.value = after
        }}
      />
      <button type="submit" class="main">
        Apply
      </button>
    </form>
  )
}
