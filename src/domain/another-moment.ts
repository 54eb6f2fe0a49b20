/**
 * Waits, without letting anybody else work, until the clock of the platform shows another millisecond: for a schema
 * that reads the clock gives the same twice within one. It is at most one millisecond, and never for ever where a clock
 * stands still.
 *
 * Tidy: uses the platform because a schema that reads a clock reads that one, and nothing here depends on what it
 * shows.
 */

const { now } = Date

const looksMax = 1_000_000

export function awaitAnotherMoment(): void {
  const beganMs = now()
  for (let looks = 0; looks < looksMax && now() === beganMs; looks++);
}
