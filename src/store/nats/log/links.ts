/**
 * How a sequence of a stream is found in the log without reading the stream. Every event keeps the positions of a few
 * earlier events of its stream: of the one before it, and of those whose sequences are its own with the lowest bits
 * cleared. The event with sequence 13 (binary 1101) has links to 12 (1100) and 8 (1000); the one with sequence 12 has
 * links to 11 and 8. From the end, any sequence is about as many steps away as its number has bits.
 *
 * The links of an event are among those of the event before it, and that event itself. So whoever knows the end of a
 * stream can write the next event.
 */

/** Where an event is. */
export interface Place {
  readonly sequence: number
  readonly position: number
}

/** An event's place with its links, in the order of `linked`. */
export interface LinkedPlace extends Place {
  readonly links: readonly number[]
}

/** The greatest number for JavaScript's operators on bits. */
const bitwiseMax = 0x7fff_ffff

/** The sequences to which an event has links, descending. */
export function linked(sequence: number): readonly number[] {
  const before = sequence - 1
  const sequences = before > 0 ? [before] : []
  for (let rest = withoutLowestBit(sequence); rest > 0; rest = withoutLowestBit(rest)) {
    if (rest !== before) sequences.push(rest)
  }
  return sequences
}

/** The positions for the links of the next event of a stream. @param end the end of the stream; nothing before it */
export function nextLinks(end: LinkedPlace | undefined): readonly number[] {
  if (end === undefined) return []
  const known = linked(end.sequence)
  const links = [end.position]
  let i = 0
  for (let rest = withoutLowestBit(end.sequence + 1); rest > 0; rest = withoutLowestBit(rest)) {
    if (rest === end.sequence) continue
    while (known[i] !== rest) i++
    links.push(end.links[i]!)
  }
  return links
}

/** The linked event that is nearest to a lower sequence, and not below it. */
export function towards(place: LinkedPlace, sequence: number): Place {
  const sequences = linked(place.sequence)
  let best = 0
  for (let i = 1; i < sequences.length && sequences[i]! >= sequence; i++) best = i
  return { sequence: sequences[best]!, position: place.links[best]! }
}

function withoutLowestBit(number: number): number {
  if (number <= bitwiseMax) return number & (number - 1)
  let bit = 1
  while (number % (2 * bit) === 0) bit *= 2
  return number - bit
}
