/** Domains, and how to start them. */
export { type Domain, domain } from './domain.ts'
export type { ErasedEvents, Erasure } from './erasure.ts'
export { type FollowOptions, type FollowStreamOptions, follow, followStream } from './follow.ts'
export type { Logger } from './logger.ts'
export type {
  At,
  CodeModel,
  CommandArgs,
  EventsOf,
  EventsOptions,
  Handle,
  HistoryOptions,
  IdsOptions,
  Instances,
  Load,
  Managed,
  Projections,
  Reactions,
  Reading,
  ReadModel,
  RebuildOptions,
  ResetOptions,
  RowsModel,
  Running,
  StartAt,
  StateModel,
} from './running.ts'
export type { StartOptions } from './start-options.ts'
export { tenantName } from './tenants/tenant-name.ts'
export {
  type LentDomain,
  type Tenant,
  type Tenants,
  type TenantsLoad,
  type TenantsOptions,
  tenants,
  type WakeResult,
} from './tenants/tenants.ts'
