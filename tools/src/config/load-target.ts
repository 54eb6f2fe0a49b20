/**
 * What the tools work with: from `mneme.config.ts`, or from `--store` and `--domain`, which have priority over it. Node
 * runs TypeScript as it is, so the modules of the user are simply imported.
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ToolsError, wordsOf } from '../errors.ts'
import type { AnyDomain, Target } from '../inspection/index.ts'
import type { Config } from './config.ts'
import { LoadedModules } from './loaded-modules.ts'
import { namedStore } from './named-store.ts'

/** What the command line says about it. */
export interface TargetOptions {
  /** The name of a store (`named-store.ts`). */
  readonly store?: string
  /** A module that exports a domain: `bank.ts`, or `bank.ts#Bank` if it exports several. */
  readonly domain?: string
  /** The configuration, if it is not a `mneme.config.ts` in this folder or one above. */
  readonly config?: string
}

const fileNames = ['mneme.config.ts', 'mneme.config.mts', 'mneme.config.js', 'mneme.config.mjs']

/**
 * Finds out what to work with.
 *
 * @param mayCreate whether a store may be made that is not there
 * @throws ToolsError `CONFIG_INVALID`, `STORE_UNKNOWN`, `STORE_ABSENT`, `DOMAIN_UNKNOWN`
 */
export async function loadTarget(
  options: TargetOptions,
  { mayCreate, cwd = process.cwd() }: { readonly mayCreate: boolean; readonly cwd?: string },
): Promise<Target> {
  const loaded = new LoadedModules()
  try {
    return await targetOf(options, mayCreate, cwd, loaded)
  } finally {
    loaded.stop()
  }
}

async function targetOf(
  options: TargetOptions,
  mayCreate: boolean,
  cwd: string,
  loaded: LoadedModules,
): Promise<Target> {
  const path = options.config === undefined ? findConfig(cwd) : resolve(cwd, options.config)
  // A store without code is looked at as it is, also below a folder with a configuration of something else.
  const isNeeded = options.config !== undefined || options.store === undefined
  const config = path !== undefined && isNeeded ? await loadConfig(path) : {}
  const domain = options.domain === undefined ? config.domain : await loadDomain(options.domain, cwd)
  const named = options.store === undefined ? undefined : await namedStore(options.store, { mayCreate })
  const store = named ?? config.events ?? config.store
  if (store === undefined) {
    throw new ToolsError('USAGE', 'No store is given', {
      advice: 'Give --store sqlite:bank.db, or write a mneme.config.ts that names it',
    })
  }
  const keys = named === undefined ? config.keys : undefined
  const code = domain && (await loaded.codeOf(domain))
  // It is made for the domain of the configuration.
  const serve = options.domain === undefined ? config.serve : undefined
  return { store, ...(domain && { domain }), ...(keys && { keys }), ...(code && { code }), ...(serve && { serve }) }
}

/** The configuration in this folder or the nearest one above. */
function findConfig(cwd: string): string | undefined {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const found = fileNames.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined || folder === dirname(folder)) return found
  }
}

/** Relative paths in a configuration, such as that of its store, are relative to its own folder. */
async function loadConfig(path: string): Promise<Config> {
  const before = process.cwd()
  if (existsSync(path)) process.chdir(dirname(path))
  const module = await load(path, 'CONFIG_INVALID').finally(() => process.chdir(before))
  const config = module['default'] ?? module['config']
  const isConfig = typeof config === 'object' && config !== null
  if (!isConfig) {
    const advice = 'Write export default defineConfig({ domain, store })'
    throw new ToolsError('CONFIG_INVALID', `${path} exports no configuration`, { advice })
  }
  const { domain, store, events, keys, serve } = config as Config
  const refuse = (what: string, expected: string) => {
    throw new ToolsError('CONFIG_INVALID', `In ${path}, ${what} is not ${expected}`)
  }
  if (domain !== undefined && !isDomain(domain)) refuse('domain', 'what domain(...) returns')
  if (serve !== undefined && typeof serve !== 'function') refuse('serve', 'a function')
  for (const [name, factory] of Object.entries({ store, events, keys })) {
    if (factory !== undefined && typeof factory?.open !== 'function') refuse(name, "a store, such as sqlite('bank.db')")
  }
  return config
}

async function loadDomain(given: string, cwd: string): Promise<AnyDomain> {
  const [file = '', name] = given.split('#')
  const module = await load(resolve(cwd, file), 'DOMAIN_UNKNOWN')
  const domains = Object.entries(module).filter((entry): entry is [string, AnyDomain] => isDomain(entry[1]))
  const known = domains.map(([each]) => each).join(', ')
  if (name !== undefined) {
    const found = domains.find(([each]) => each === name)
    if (found !== undefined) return found[1]
    throw new ToolsError('DOMAIN_UNKNOWN', `${file} exports no domain ${name}`, { advice: `It exports ${known}` })
  }
  // A module may export one domain by two names.
  const different = [...new Set(domains.map(([, domain]) => domain))]
  if (different.length === 1) return different[0]!
  if (different.length === 0) throw new ToolsError('DOMAIN_UNKNOWN', `${file} exports no domain`)
  throw new ToolsError('DOMAIN_UNKNOWN', `${file} exports several domains: ${known}`, {
    advice: `Say which one, as in ${file}#${domains[0]![0]}`,
  })
}

/** Also one that another copy of the library made. */
function isDomain(value: unknown): value is AnyDomain {
  const { aggregates, start, upcast } = (value ?? {}) as Partial<AnyDomain>
  return typeof aggregates === 'object' && typeof start === 'function' && typeof upcast === 'function'
}

async function load(
  path: string,
  code: 'CONFIG_INVALID' | 'DOMAIN_UNKNOWN',
): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(path)) throw new ToolsError(code, `There is no file ${path}`)
  try {
    return await import(pathToFileURL(path).href)
  } catch (cause) {
    const reason = wordsOf(cause)
    throw new ToolsError(code, `${path} cannot be loaded: ${reason}`, { cause })
  }
}
