/** Buttons that manage projections and reactions: a pause, a rebuild, and what becomes of parked events. */
import { useSignal } from '@preact/signals'
import type { FollowerView, ManageQuestion, RebuildView } from '../src/studio/views.ts'
import { api } from './api.ts'
import { Confirmed, Failure } from './parts.tsx'

interface Props {
  readonly label: string
  readonly question: string
  readonly asked: ManageQuestion
}

/** A button that asks before it does something, and says if it did not work. */
export function ManageButton({ label, question, asked }: Props) {
  const failure = useSignal<string | undefined>(undefined)
  const manage = async () => {
    try {
      failure.value = undefined
      await api.manage(asked)
    } catch (error) {
      failure.value = (error as Error).message
    }
  }
  return (
    <>
      <Confirmed label={label} question={question} yes="Yes" onYes={manage} />
      {failure.value !== undefined && <Failure message={failure.value} />}
    </>
  )
}

/** The button that rebuilds a projection, or how far its rebuild is. */
export function Rebuild({ name, rebuild }: { readonly name: string; readonly rebuild: RebuildView | undefined }) {
  const { status, position = 0, head = 0, failure } = rebuild ?? {}
  if (status === 'running') {
    const told = `rebuilding, ${position} of ${head}`
    return (
      <span role="status">
        {told} <progress max={Math.max(1, head)} value={position} aria-label={told} />
      </span>
    )
  }
  return (
    <>
      <ManageButton
        label="Rebuild"
        question={`Build all rows of ${name} again? The live ones stay until it is done.`}
        asked={{ action: 'rebuild', kind: 'projection', name }}
      />
      {status === 'done' && <span class="accepted"> rebuilt up to {position}</span>}
      {failure !== undefined && <Failure message={failure} />}
    </>
  )
}

/** The button that pauses a projection or reaction in all processes, or resumes it. */
export function Pause({ follower: { kind, name, pausedSince, beginning } }: { readonly follower: FollowerView }) {
  if (pausedSince !== undefined) {
    return (
      <ManageButton
        label="Resume"
        question={`Shall ${name} handle events again?`}
        asked={{ action: 'resume', kind, name }}
      />
    )
  }
  // Like the start of its domain, a pause stores where a reaction begins.
  const begins = beginning === undefined || beginning === 'first' ? '' : ' It has never run, and begins with that.'
  return (
    <ManageButton
      label="Pause"
      question={`Shall ${name} rest in all processes, until it is resumed?${begins}`}
      asked={{ action: 'pause', kind, name }}
    />
  )
}
