/** Tells an observer of the steps of a projection or reaction. */
import type { Observing } from '../../runtime/observing.ts'
import type { StoredEvent } from '../../store/store.ts'
import type { StepResult } from '../checkpoint/step.ts'
import { calledOf } from '../failures/tries.ts'

/** Takes a step, and tells when it starts and how it ends. @param position up to where everything is handled */
export async function observedStep(
  observing: Observing,
  storageName: string,
  position: () => number,
  step: () => Promise<StepResult>,
): Promise<StepResult> {
  const [of, ...words] = calledOf(storageName).split(' ') as ['projection' | 'reaction', ...string[]]
  const span = observing.start('step', { of, name: words.join(' '), position: position() })
  try {
    const result = await step()
    const traceparents = traceparentsOf(result.handled)
    span.end({ events: result.events, position: position(), traceparents })
    return result
  } catch (error) {
    span.end({ events: 0, position: position(), traceparents: [], error })
    throw error
  }
}

/** How many traces of one step are told. */
const traceparentsMax = 100

/** In which traces events were made. */
function traceparentsOf(events: readonly StoredEvent[] = []): readonly string[] {
  const found = new Set<string>()
  for (const { metadata } of events) {
    if (found.size === traceparentsMax) break
    const { traceparent } = metadata
    if (typeof traceparent === 'string') found.add(traceparent)
  }
  return [...found]
}
