/** What the figures must be. Each target is a sentence and a test of one figure. */
import type { Figure } from './figure.ts'

export interface Target {
  readonly what: string
  readonly isMet: (figure: Figure) => boolean
}

const atLeast = (value: number): Target => ({
  what: `at least ${value.toLocaleString('en')}`,
  isMet: (figure) => figure.value >= value,
})

const atMost = (value: number, unit: string): Target => ({
  what: `at most ${value.toLocaleString('en')} ${unit}`,
  isMet: (figure) => figure.value <= value,
})

const ofFloor = (percent: number): Target => ({
  what: `at least ${percent}% of the floor`,
  isMet: ({ floor }) => floor !== undefined && floor.ratio * 100 >= percent,
})

const timesFloor = (times: number): Target => ({
  what: `at most ${times}x the floor`,
  isMet: ({ floor }) => floor !== undefined && floor.ratio <= times,
})

/** By the figure's id and store. */
const targets: Readonly<Record<string, readonly Target[]>> = {
  'W1 file': [timesFloor(1.3)],
  'W1 sqlite': [timesFloor(1.3)],
  'W1 postgres': [timesFloor(1.3)],
  'W5 memory': [atLeast(2_000_000)],
  'W5 sqlite': [atLeast(250_000)],
  'W5 postgres': [atLeast(120_000)],
  'W6c memory': [atLeast(200_000)],
  'W6c-plain memory': [atLeast(400_000)],
  'W6c file': [atLeast(100_000), ofFloor(60)],
  'W6c sqlite': [ofFloor(60)],
  'W6c postgres': [ofFloor(60)],
  'W6c nats': [ofFloor(60)],
  'W7 sqlite': [ofFloor(60)],
  'W7 postgres': [ofFloor(60)],
  'W9 file': [atMost(1000, 'ms')],
  'W9 sqlite': [atMost(100, 'ms')],
  'W9 postgres': [atMost(100, 'ms')],
  'loop file': [atMost(10, 'ms')],
  'loop sqlite': [atMost(10, 'ms')],
  'loop postgres': [atMost(10, 'ms')],
}

/** On every store. */
const everywhere: Readonly<Record<string, readonly Target[]>> = {
  W8: [atMost(1024, 'bytes')],
  'W13-clock': [atMost(1.1, 'times')],
  'W13-alone-clock': [atMost(1.1, 'times')],
  W14: [atMost(3_000_000, 'bytes')],
  W15: [atMost(1000, 'ms')],
  'W15-frozen': [atMost(3000, 'ms')],
  W16: [atMost(0.5, 'ms')],
  'W16-crowd': [ofFloor(60)],
  'W17-cpu-1': [ofFloor(97)],
  'W17-io-1': [ofFloor(97)],
  'W20-joins': [atMost(100, 'ms')],
  'W20-leaves': [atMost(100, 'ms')],
  W11: [ofFloor(100)],
  'W11-crowd': [ofFloor(100)],
  'W10-append': [atMost(1.3, 'times')],
  'W10-log': [atMost(1.3, 'times')],
  'W10-stream': [atMost(1.3, 'times')],
  W12: [atMost(5, 'ms')],
  'W12-next': [atMost(5, 'ms')],
  'idle-short': [atMost(1, '%')],
  idle: [atMost(1, '%')],
}

export function targetsOf({ id, store }: Figure): readonly Target[] {
  return targets[`${id} ${store}`] ?? everywhere[id] ?? []
}
