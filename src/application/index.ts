/** Domains, and how to start them. */

export type { Logger } from '../runtime/logger.ts'
export { type Domain, domain } from './domain.ts'
export type { ErasedEvents, ErasedRows, Erasure } from './erasure.ts'
export { type FollowOptions, type FollowStreamOptions, follow, followStream } from './follow.ts'
export type { CodeModel, ReadModel, RowsModel, StateModel } from './read-models.ts'
export type {
  At,
  CommandArgs,
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
  RebuildOptions,
  ResetOptions,
  Running,
  StartAt,
} from './running.ts'
export type { StartOptions } from './start-options.ts'
export { tenantName } from './tenants/tenant-name.ts'
export {
  type ClusteredTenants,
  type LentDomain,
  type Tenant,
  type Tenants,
  type TenantsCluster,
  type TenantsLoad,
  type TenantsOptions,
  tenants,
  type WakeResult,
} from './tenants/tenants.ts'
