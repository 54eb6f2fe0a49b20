/** Why is this 40? The events that made a value of a state what it is. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { ChangeView, Json, ReasonsView } from '../src/studio/views.ts'
import { pathText } from './apply-changes.ts'
import { Failure, shortJson, Type } from './parts.tsx'
import type { Steps } from './steps.ts'

/** Asks which events made the value at a path what it is after an event. */
export type AskReasons = (path: ChangeView['path'], sequence: number, signal?: AbortSignal) => Promise<ReasonsView>

interface ReasonsProps {
  readonly ask: AskReasons
  readonly steps: Steps
  readonly path: ChangeView['path']
  readonly value: Json | undefined
  readonly onClose: () => void
}

export function Reasons({ ask, steps, path, value, onClose }: ReasonsProps) {
  const found = useSignal<ReasonsView['reasons']>([])
  const next = useSignal<number | undefined>(undefined)
  const isReading = useSignal(true)
  const failure = useSignal<string | undefined>(undefined)
  const sequence = steps.sequence.value
  const key = JSON.stringify(path)
  const read = async (from: number, signal?: AbortSignal) => {
    isReading.value = true
    try {
      const page = await ask(path, from, signal)
      found.value = [...found.value, ...page.reasons]
      next.value = page.next
    } catch (error) {
      if (!signal?.aborted) failure.value = (error as Error).message
    }
    isReading.value = false
  }
  useEffect(() => {
    found.value = []
    next.value = undefined
    failure.value = undefined
    const ending = new AbortController()
    // While somebody moves the slider, the question for each version would be in vain.
    const timer = setTimeout(() => read(sequence, ending.signal), 150)
    return () => {
      clearTimeout(timer)
      ending.abort()
    }
  }, [key, sequence])
  return (
    <div class="panel reasons">
      <h3>
        Why is {pathText(path)} {value === undefined ? 'not there' : shortJson(value)}?
        <button type="button" class="close" aria-label="Close" onClick={onClose}>
          ×
        </button>
      </h3>
      {failure.value !== undefined && <Failure message={failure.value} />}
      <ol class="plain">
        {found.value.map(({ event, number = event.sequence, before, after }) => (
          <li key={number}>
            <button type="button" onClick={() => steps.moveTo(number)}>
              <span class="faint">{number}</span>
              <Type name={event.type} />
              <span>
                {before !== undefined && <del>{shortJson(before)}</del>}
                {before !== undefined && after !== undefined && <span class="faint"> → </span>}
                {after !== undefined && <ins>{shortJson(after)}</ins>}
              </span>
            </button>
          </li>
        ))}
      </ol>
      {isReading.value && <p class="empty">Looking through the events ...</p>}
      {!isReading.value && next.value !== undefined && (
        <button type="button" onClick={() => read(next.value!)}>
          Earlier ones
        </button>
      )}
      {!isReading.value && next.value === undefined && found.value.length === 0 && failure.value === undefined && (
        <p class="empty">No event changed it: it is as it began.</p>
      )}
    </div>
  )
}
