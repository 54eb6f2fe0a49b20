/** Buttons that manage a projection: a pause, a rebuild, and what becomes of parked events. */
import { useSignal } from '@preact/signals'
import type { ManageQuestion, RebuildView } from '../src/studio/views.ts'
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
        asked={{ action: 'rebuild', projection: name }}
      />
      {status === 'done' && <span class="accepted"> rebuilt up to {position}</span>}
      {failure !== undefined && <Failure message={failure} />}
    </>
  )
}

/** The button that pauses a projection in all processes, or resumes it. */
export function Pause({ name, isPaused }: { readonly name: string; readonly isPaused: boolean }) {
  return isPaused ? (
    <ManageButton
      label="Resume"
      question={`Shall ${name} handle events again?`}
      asked={{ action: 'resume', projection: name }}
    />
  ) : (
    <ManageButton
      label="Pause"
      question={`Shall ${name} rest in all processes, until it is resumed?`}
      asked={{ action: 'pause', projection: name }}
    />
  )
}
