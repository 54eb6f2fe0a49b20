/** The places for streams of events and long polls: so many may be open at once. */
import { OverloadError } from '../domain/error.ts'
import type { Service } from './exchange.ts'

/**
 * Takes a place.
 *
 * @returns a function that gives it back, once
 * @throws OverloadError `OVERLOADED` if there is none
 */
export function takePlace({ streams, hold, settings: { streamsMax } }: Service): () => void {
  if (streams.open >= streamsMax) throw new OverloadError('OVERLOADED', { queue: 'streamsMax', sizeMax: streamsMax })
  streams.open++
  const { promise: isOver, resolve } = Promise.withResolvers<void>()
  hold?.(isOver)
  let isTaken = true
  return () => {
    if (isTaken) streams.open--
    isTaken = false
    resolve()
  }
}
