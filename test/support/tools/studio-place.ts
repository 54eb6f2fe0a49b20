/** A studio for tests, on a bank with transfers in memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { buildPage } from '../../../scripts/page.ts'
import { memory, type StoreFactory } from '../../../src/index.ts'
import { changedStore } from '../../../tools/src/inspection/changed-store.ts'
import { type AnyDomain, openInspection } from '../../../tools/src/inspection/index.ts'
import { type Studio, type StudioOptions, startStudio } from '../../../tools/src/studio/index.ts'

export interface StudioPlace {
  readonly studio: Studio
  /** The address without path and token. */
  readonly origin: string
  readonly token: string
  /** Asks as the page does. */
  ask(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** Sends JSON as the page does. */
  post(path: string, body: unknown): Promise<Response>
}

let built: URL | undefined

/** The page, built once in a process. */
export function builtPage(): URL {
  if (built !== undefined) return built
  const folder = mkdtempSync(join(tmpdir(), 'mneme-studio-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  buildPage(folder)
  built = pathToFileURL(`${folder}/`)
  return built
}

/** Starts a studio. @param target what it shows; the domain of transfers by default */
export async function studioPlace(
  t: TestContext,
  target: { readonly store: StoreFactory; readonly domain?: AnyDomain | undefined },
  options: StudioOptions = {},
): Promise<StudioPlace> {
  const { store, domain } = { domain: TransferBank, ...target }
  const inspection = await openInspection({ store, ...(domain && { domain }), log: { warn() {} } })
  t.after(() => inspection.close())
  const studio = await startStudio(inspection, { port: 0, environment: {}, page: builtPage(), ...options })
  t.after(() => studio.close())
  const { origin, searchParams } = new URL(studio.address)
  const token = searchParams.get('token')!
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers }, redirect: 'manual' })
  const post = (path: string, body: unknown) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return fetch(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  }
  return { studio, origin, token, ask, post }
}

/** A store in which ada has opened an account, made some deposits, and transferred 5 to bob. */
export async function filledStore(deposits = 3): Promise<StoreFactory> {
  const store = memory()
  await using bank = await TransferBank.start({ store })
  for (const id of ['ada', 'bob']) await bank.account(id).open({ owner: id })
  for (let n = 1; n <= deposits; n++)
    await bank.account('ada').deposit({ amount: n }, { commandId: `deposit ${n}`, metadata: { user: 'eve' } })
  await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 5 }, { commandId: 'the request' })
  await bank.reactions.progress('moveMoney')
  return store
}

/** A store that remembers what was written into it by others than those who append. */
export function watching(store: StoreFactory, writes: string[]): StoreFactory {
  const watched = ['append', 'saveStep', 'saveSnapshot', 'acquireLease', 'reserve'] as const
  return {
    name: store.name,
    async open(options) {
      const opened = await store.open(options)
      const methods = watched.map((name) => [
        name,
        (...args: readonly unknown[]) => {
          writes.push(name)
          return Reflect.apply(opened[name as 'append'], opened, args)
        },
      ])
      return changedStore(opened, Object.fromEntries(methods))
    },
  }
}
