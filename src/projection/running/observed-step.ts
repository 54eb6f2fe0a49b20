/** Tells an observer of the steps of a projection or reaction. */
import type { Observing } from '../../runtime/observing.ts'
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
    span.end({ events: result.events, position: position() })
    return result
  } catch (error) {
    span.end({ events: 0, position: position(), error })
    throw error
  }
}
