/**
 * Checks the platform that the program runs on. Without this check, an old platform would fail later, with an error
 * that does not explain itself.
 *
 * Tidy: uses the platform because this file asks about it.
 */
import { DefinitionError } from '../domain/error.ts'

interface Platform {
  readonly process?: { readonly versions?: Readonly<Record<string, string | undefined>> }
}

/** The platform for a message, as in `Node 24.1.0`. */
export function runtimeName(): string {
  const { node, deno, bun } = (globalThis as Platform).process?.versions ?? {}
  if (deno !== undefined) return `Deno ${deno}`
  if (bun !== undefined) return `Bun ${bun}`
  return node === undefined ? 'this platform' : `Node ${node}`
}

/**
 * Checks for the newest feature that Mneme needs.
 *
 * @throws DefinitionError `RUNTIME_UNSUPPORTED`
 */
export function checkRuntime(): void {
  if (typeof Promise.withResolvers === 'function') return
  throw new DefinitionError('RUNTIME_UNSUPPORTED', {
    what: 'Mneme',
    needs: 'Promise.withResolvers',
    found: runtimeName(),
  })
}
