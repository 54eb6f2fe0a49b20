/**
 * The exports of `mneme/testing`: given/when/then, simulations and kills for users, and the conformance kit for authors
 * of stores. The model is not exported, because it needs fast-check, and Mneme has no dependencies.
 */
export { type MakeStore, type StoreCapabilities, type StorePlace, storeConformance } from './conformance/index.ts'
export { type CrashTools, crashProgram } from './crash/crash-program.ts'
export {
  type KilledRound,
  type KillReport,
  KillRoundFailed,
  type KillRoundsOptions,
  killRounds,
} from './crash/kill-rounds.ts'
export { type Fault, faultyStore, type StoreCall, type StoreMethod } from './faulty-store.ts'
export { type ManualEnvironment, type ManualEnvironmentOptions, manualEnvironment } from './manual-environment.ts'
export type { Random } from './random.ts'
export type { EndOfRun } from './simulation/end-of-run.ts'
export type { FaultRates } from './simulation/faults.ts'
export type { ProfileName } from './simulation/profiles.ts'
export { seeds } from './simulation/seeds.ts'
export { type SimulateOptions, SimulationFailed, type SimulationReport, simulate } from './simulation/simulate.ts'
export type { CodeOf, DetailsOf, Expectation, Spec } from './spec/aggregate-spec.ts'
export { type Happened, on, type Place } from './spec/history.ts'
export type { ProjectionSpec, StateSpec } from './spec/projection-spec.ts'
export type {
  ReactionExpectation,
  ReactionSpec,
  TimerExpectation,
} from './spec/reaction-spec.ts'
export { spec } from './spec/spec.ts'
export { forgottenValue } from './spec/spec-keys.ts'
export type { Answers, StubbedAnswer } from './spec/stubbed-answers.ts'
