/** `npm create mneme`: reads the command line, asks what it does not say, and makes the project. */
import { relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { checkFolder, createProject, packageName, Refused, storeNamed } from './create-project.ts'
import { type StoreChoice, stores } from './stores.ts'

const storeLines = stores.map(({ name, about }) => `  ${name.padEnd(9)} ${about}`).join('\n')

const help = `npm create mneme [folder] [-- --store STORE]

Makes a project with Mneme in a new folder: a bank with tests, HTTP and the studio. It asks what is not said here.

  --store STORE   where the events are: ${stores.map(({ name }) => name).join(', ')}
  --yes           ask nothing: ${stores[0]!.name}, in the folder bank
  --help          this

${storeLines}
`

const folderDefault = 'bank'

/** What the program talks to. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream
  readonly errors: NodeJS.WritableStream
}

/**
 * Runs the program.
 *
 * @param template the folder of the template
 * @returns the exit code: 0 done, 1 it did not work, 2 the command line makes no sense, 130 interrupted
 */
export async function run(args: readonly string[], template: string, terminal: Terminal): Promise<number> {
  const { output, errors } = terminal
  let given: ReturnType<typeof parsed>
  try {
    given = parsed(args)
  } catch (error) {
    errors.write(`create-mneme: ${messageOf(error)}\n\n${help}`)
    return 2
  }
  if (given.help) {
    output.write(help)
    return 0
  }
  try {
    const chosen = await choose(given, terminal)
    if (chosen === undefined) {
      errors.write('\nNothing was made.\n')
      return 130
    }
    createProject({ ...chosen, template })
    output.write(nextSteps(chosen.folder, chosen.store))
    return 0
  } catch (error) {
    errors.write(`create-mneme: ${messageOf(error)}\n`)
    return error instanceof Refused ? 2 : 1
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Given {
  readonly folder: string | undefined
  readonly store: string | undefined
  readonly yes: boolean
  readonly help: boolean
}

function parsed(args: readonly string[]): Given {
  const options = {
    store: { type: 'string' },
    yes: { type: 'boolean', short: 'y', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  if (positionals.length > 1) throw new Refused(`One folder is made, and not ${positionals.length}.`)
  const { store, yes, help } = values
  return { folder: positionals[0], store, yes, help }
}

interface Chosen {
  readonly folder: string
  readonly store: StoreChoice
}

/** Asks for what is not given, if there is somebody to ask. @returns nothing if the answer is an interrupt */
async function choose({ folder, store, yes }: Given, terminal: Terminal): Promise<Chosen | undefined> {
  // What is given is checked before anything is asked.
  if (folder !== undefined) checkPlace(folder)
  if (store !== undefined) storeNamed(store)
  const isAsking = !yes && terminal.input.isTTY === true
  if (isAsking && (folder === undefined || store === undefined)) return ask({ folder, store }, terminal)
  const place = folder ?? folderDefault
  checkPlace(place)
  return { folder: place, store: store === undefined ? stores[0]! : storeNamed(store) }
}

function checkPlace(folder: string): void {
  packageName(folder)
  checkFolder(folder)
}

async function ask(
  { folder, store }: Pick<Given, 'folder' | 'store'>,
  { input, output }: Terminal,
): Promise<Chosen | undefined> {
  const lines = createInterface({ input, output, terminal: true })
  const gone = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)))
  /** Asks again until the answer can be used. */
  const answer = async <Value>(question: string, use: (text: string) => Value): Promise<Value | undefined> => {
    for (;;) {
      const text = await Promise.race([lines.question(question), gone])
      if (text === undefined) return undefined
      try {
        return use(text.trim())
      } catch (error) {
        output.write(`${messageOf(error)}\n`)
      }
    }
  }
  try {
    const place =
      folder ??
      (await answer(`Folder (${folderDefault}): `, (text) => {
        const named = text === '' ? folderDefault : text
        checkPlace(named)
        return named
      }))
    if (place === undefined) return undefined
    if (store === undefined) output.write(`Where shall the events be?\n${storeLines}\n`)
    const chosen =
      store === undefined
        ? await answer(`Store (${stores[0]!.name}): `, (text) => storeNamed(text === '' ? stores[0]!.name : text))
        : storeNamed(store)
    return chosen && { folder: place, store: chosen }
  } finally {
    lines.close()
  }
}

function nextSteps(folder: string, { needs }: StoreChoice): string {
  const path = relative(process.cwd(), folder)
  const steps = [
    ...(path === '' ? [] : [`  cd ${/^[\w./-]+$/.test(path) ? path : JSON.stringify(path)}`]),
    '  npm install',
    '  npm test              the rules, and the bank over HTTP',
    '  npm run dev           serves the bank at http://localhost:3000, with the studio, and again after each change',
  ]
  const first = needs === undefined ? '' : `\n${needs}\n`
  return `\nThe project is in ${path === '' ? 'this folder' : path}.\n${first}\nNext:\n\n${steps.join('\n')}\n\n`
}
