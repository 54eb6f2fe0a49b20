/** Openings that failed for good, kept for a moment: a damaged file is not checked again for each of many calls. */
import type { MnemeError } from '../../domain/error.ts'
import type { Environment } from '../../runtime/environment.ts'

const keptMs = 1_000
const keptMax = 1_000

export class KeptFailures {
  readonly #environment: Environment
  readonly #failures = new Map<string, { readonly error: MnemeError; readonly until: number }>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  keep(tenant: string, error: MnemeError): void {
    const [oldest] = this.#failures.keys()
    if (this.#failures.size >= keptMax) this.#failures.delete(oldest!)
    this.#failures.set(tenant, { error, until: this.#environment.elapsed() + keptMs })
  }

  /** @throws the failure of the tenant, if it is still kept */
  check(tenant: string): void {
    const known = this.#failures.get(tenant)
    if (known !== undefined && this.#environment.elapsed() < known.until) throw known.error
    this.#failures.delete(tenant)
  }
}
