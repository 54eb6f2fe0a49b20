/** `mneme.config.ts`: which domain and which stores the tools work with. */
import type { StartOptions } from '../../../src/index.ts'
import type { AnyDomain } from '../inspection/index.ts'

/** What `serve` has started: it is disposed before the domain stops. */
export type Served = AsyncDisposable | Disposable | undefined | void

/** What `mneme.config.ts` exports. The stores are those of `start`. */
export interface Config<Domain extends AnyDomain = AnyDomain> extends Pick<StartOptions, 'store' | 'events' | 'keys'> {
  /** What `domain(...)` returned. Without it, only stored events can be seen. */
  readonly domain?: Domain
  /**
   * Starts what belongs to the program beside the domain, such as its server. `mneme dev` calls it with the running
   * domain, and disposes what it returns (a server of Node is disposable) before the domain stops. No other command
   * calls it.
   */
  serve?(running: Awaited<ReturnType<Domain['start']>>): Served | Promise<Served>
}

/**
 * The configuration of the tools, with its types checked.
 *
 *     export default defineConfig({ domain: Bank, store: sqlite('bank.db') })
 */
export function defineConfig<Domain extends AnyDomain>(config: Config<Domain>): Config<Domain> {
  return config
}
