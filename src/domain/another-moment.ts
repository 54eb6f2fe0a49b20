/**
 * Waits synchronously until the clock of the platform shows another millisecond. Within one millisecond, a schema that
 * reads the clock gives the same value twice, and would look stable. The wait takes at most one millisecond. It also
 * ends if the clock does not move.
 *
 * Tidy: uses the platform because a schema that reads a clock reads this one. Nothing here depends on the time it
 * shows.
 */

const { now } = Date

const looksMax = 1_000_000

export function awaitAnotherMoment(): void {
  const beganMs = now()
  for (let looks = 0; looks < looksMax && now() === beganMs; looks++);
}
