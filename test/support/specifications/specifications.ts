/** The specifications: where each lies, how long its runs are, and how its mutant is refuted. */

export interface Specification {
  readonly path: string
  /** The steps of a run. */
  readonly stepsMax: number
  /** What the mutant leaves out, and the invariant that it must break. */
  readonly mutant: { readonly omits: string; readonly breaks: string; readonly seed?: string }
}

export const visiblePrefix: Specification = {
  path: 'src/store/visible-prefix.qnt',
  stepsMax: 20,
  mutant: { omits: 'a writer holds the end of the log while it has positions', breaks: 'nothingMissed' },
}

export const exactlyOnce: Specification = {
  path: 'src/kernel/exactly-once.qnt',
  stepsMax: 25,
  mutant: { omits: 'the store looks for the id of a commit', breaks: 'once' },
}

export const lookBeforeNo: Specification = {
  path: 'src/kernel/look-before-no.qnt',
  stepsMax: 25,
  mutant: { omits: 'a process looks where the stream ends before it says no', breaks: 'isHonest' },
}

export const leaseTermFence: Specification = {
  path: 'src/projection/checkpoint/lease-term-fence.qnt',
  stepsMax: 35,
  // Only one run in some thousands breaks it, so the search begins with that one.
  mutant: { omits: 'the fence is asked after the state is loaded', breaks: 'moneyIsRight', seed: '0xf3463' },
}

export const reactionStep: Specification = {
  path: 'src/projection/reactions/reaction-step.qnt',
  stepsMax: 25,
  mutant: { omits: 'a refusal is kept before the handler goes on', breaks: 'oneWay' },
}

export const blueGreenSwitch: Specification = {
  path: 'src/projection/rebuilding/switch.qnt',
  stepsMax: 30,
  mutant: { omits: 'the switch looks at the version of the record', breaks: 'liveIsAlone' },
}

export const specifications: readonly Specification[] = [
  ...[visiblePrefix, exactlyOnce, lookBeforeNo, leaseTermFence, reactionStep, blueGreenSwitch],
]
