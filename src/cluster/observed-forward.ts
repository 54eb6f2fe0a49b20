/** Tells an observer of a command that is sent to another member. */
import { marked } from '../kernel/command-observation.ts'
import type { Observing } from '../runtime/observing.ts'
import { PeerLost } from './peer-lost.ts'
import type { Answered, SentCommand } from './wire.ts'

/** Where a command goes, and what sends it. */
interface Way {
  /** The address of its owner. */
  readonly to: string
  readonly parent?: number | undefined
}

/** Sends a command with the metadata that the observer gives it, and tells when it is sent and how that ends. */
export async function observedForward(
  observing: Observing,
  sent: SentCommand,
  { to, parent }: Way,
  send: (command: SentCommand) => Promise<Answered>,
): Promise<Answered> {
  const { stream, name: command, commandId } = sent
  const id = observing.nextSpan()
  const beganAt = observing.elapsed()
  const given = { parent, ...(sent.metadata && { metadata: sent.metadata }) }
  const { metadata = {} } = marked(observing, stream, command, given, { span: id, to })
  const span = observing.start('forward', { parent, stream, command, commandId, to, metadata }, beganAt, id)
  try {
    const answered = await send({ ...sent, metadata })
    span.end({ outcome: 'moved' in answered.reply ? 'moved' : 'answered' })
    return answered
  } catch (error) {
    span.end({ outcome: error instanceof PeerLost ? 'lost' : 'answered', error })
    throw error
  }
}
