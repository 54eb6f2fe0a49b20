/**
 * What `mneme/testing` exports: given/when/then for users, the conformance kit for store authors. The model is not
 * here, since it needs fast-check, which is nobody's dependency.
 */
export { type MakeStore, type StoreCapabilities, type StorePlace, storeConformance } from './conformance/index.ts'
export { type Fault, faultyStore, type StoreCall, type StoreMethod } from './faulty-store.ts'
export { type ManualEnvironment, type ManualEnvironmentOptions, manualEnvironment } from './manual-environment.ts'
export { type CodeOf, type DetailsOf, type Expectation, type Spec, spec } from './spec.ts'
