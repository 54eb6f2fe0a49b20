/** The ids of messages of events: the places of the events. The service and its client write them. */
import type { StreamPlace } from '../projection/log/stream-subscription.ts'
import type { LogPlace } from '../store/store.ts'

/** `17-4711`: the position, and the checksum if it is known. */
export const idInLog = ({ position, checksum }: LogPlace): string =>
  checksum === undefined ? `${position}` : `${position}-${checksum}`

/** `3-17-4711`: the sequence in the stream, the position and the checksum. */
export const idInStream = ({ sequence, position, checksum }: StreamPlace): string =>
  `${sequence}-${position}-${checksum}`
