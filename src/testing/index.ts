/**
 * The exports of `mneme/testing`: given/when/then for users, and the conformance kit for authors of stores. The model
 * is not exported, because it needs fast-check, and Mneme has no dependencies.
 */
export { type MakeStore, type StoreCapabilities, type StorePlace, storeConformance } from './conformance/index.ts'
export { type Fault, faultyStore, type StoreCall, type StoreMethod } from './faulty-store.ts'
export { type ManualEnvironment, type ManualEnvironmentOptions, manualEnvironment } from './manual-environment.ts'
export type { Random } from './random.ts'
export type { FaultRates } from './simulation/faults.ts'
export type { EndOfRun } from './simulation/run.ts'
export { type SimulateOptions, SimulationFailed, type SimulationReport, simulate } from './simulation/simulate.ts'
export { type CodeOf, type DetailsOf, type Expectation, type Spec, spec } from './spec.ts'
