/** `mneme.config.ts`: which domain and which stores the tools work with. */
import type { StartOptions } from '../../../src/index.ts'
import type { AnyDomain } from '../inspection/index.ts'

/** What `mneme.config.ts` exports. The stores are those of `start`. */
export interface Config extends Pick<StartOptions, 'store' | 'events' | 'keys'> {
  /** What `domain(...)` returned. Without it, only stored events can be seen. */
  readonly domain?: AnyDomain
}

/**
 * The configuration of the tools, with its types checked.
 *
 *     export default defineConfig({ domain: Bank, store: sqlite('bank.db') })
 */
export function defineConfig(config: Config): Config {
  return config
}
