/** Really sends a command that was tried, after a question. */

import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import type { OutcomeView, TriedCommand } from '../src/studio/views.ts'
import { api, type Stream } from './api.ts'
import { Confirmed, Failure } from './parts.tsx'
import { streamLink } from './place.ts'
import { Verdict } from './world-parts.tsx'

interface Props {
  readonly stream: Stream
  readonly command: TriedCommand
  readonly expectedSequence: number
}

export function SendIt({ stream, command, expectedSequence }: Props) {
  const outcome = useSignal<OutcomeView | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  // The same id if it is sent again, so that it is handled once.
  const commandId = useRef(crypto.randomUUID())
  const send = async () => {
    try {
      failure.value = undefined
      outcome.value = await api.send({ ...stream, ...command, commandId: commandId.current, expectedSequence })
    } catch (error) {
      failure.value = (error as Error).message
    }
  }
  const { aggregate, id } = stream
  if (outcome.value !== undefined && outcome.value.failure === undefined) {
    return (
      <div class="sent" role="status">
        <b>It was sent.</b> <Verdict outcome={outcome.value} />{' '}
        <a href={streamLink(aggregate, id, outcome.value.sequence)}>
          See version {outcome.value.sequence} of {aggregate}/{id}
        </a>
      </div>
    )
  }
  return (
    <div class="sent">
      <Confirmed
        label="Send it for real"
        question={`Send ${command.name} to ${aggregate}/${id}? What it does stays.`}
        yes="Send"
        onYes={send}
      />
      {outcome.value?.failure !== undefined && <Failure message={outcome.value.failure.message} />}
      {failure.value !== undefined && <Failure message={failure.value} />}
    </div>
  )
}
