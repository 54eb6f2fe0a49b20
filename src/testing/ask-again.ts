/** The pause between two questions of whoever waits for something by asking again and again. */
import { rest, turn } from '../runtime/timers.ts'

const turnsMax = 5
const pauseMsMax = 10

/**
 * What comes soon is noticed soon: the first pauses are a turn of the event loop each. Later ones last for up to 10 ms,
 * so that whoever waits leaves the processor to those who work.
 *
 * @param times how often it has been asked so far
 */
export const beforeAskingAgain = (times: number): Promise<void> =>
  times < turnsMax ? turn() : rest(Math.min(times - turnsMax + 1, pauseMsMax))
