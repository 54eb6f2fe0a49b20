/**
 * What the program runs on. Of an older platform one would else hear that something deep inside is no function.
 *
 * Tidy: uses the platform because it is what is asked about here; nothing of it is used for work.
 */
import { DefinitionError } from '../domain/error.ts'

interface Platform {
  readonly process?: { readonly versions?: Readonly<Record<string, string | undefined>> }
}

/** What a message calls it: `Node 24.1.0`. */
export function runtimeName(): string {
  const { node, deno, bun } = (globalThis as Platform).process?.versions ?? {}
  if (deno !== undefined) return `Deno ${deno}`
  if (bun !== undefined) return `Bun ${bun}`
  return node === undefined ? 'this platform' : `Node ${node}`
}

/**
 * What everything here stands on, and what came last to the platforms.
 *
 * @throws DefinitionError `RUNTIME_UNSUPPORTED`
 */
export function checkRuntime(): void {
  if (typeof Promise.withResolvers === 'function') return
  throw new DefinitionError('RUNTIME_UNSUPPORTED', {
    ...{ what: 'Mneme', needs: 'Promise.withResolvers' },
    found: runtimeName(),
  })
}
