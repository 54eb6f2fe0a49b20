/** The page of the studio: its screens, the way between them, and the keys. */
import { signal } from '@preact/signals'
import { render } from 'preact'
import type { Info } from '../src/studio/views.ts'
import { api } from './api.ts'
import { CauseScreen } from './cause-screen.tsx'
import { ClusterScreen } from './cluster-screen.tsx'
import { CodeScreen, CodeTrouble, Differing, watchCode } from './code-screen.tsx'
import { CatalogueScreen, FollowersScreen } from './domain-screens.tsx'
import { LogScreen, logKey } from './log-screen.tsx'
import { Failure } from './parts.tsx'
import { go, link, place } from './place.ts'
import { ReactionScreen } from './reaction-screen.tsx'
import { RowScreen, RowsScreen } from './rows-screen.tsx'
import { StreamScreen, streamKey } from './stream-screen.tsx'
import { WhatIfScreen } from './what-if-screen.tsx'

const screens = [
  { path: 'log', name: 'Log', screen: LogScreen },
  { path: 'catalogue', name: 'Catalogue', screen: CatalogueScreen },
  { path: 'followers', name: 'Projections', screen: FollowersScreen },
  { path: 'cluster', name: 'Cluster', screen: ClusterScreen },
] as const
const codeScreen = { path: 'code', name: 'Code', screen: CodeScreen } as const
/** Those that the page has now: code only changes under `mneme dev`. */
const screensNow = () => (info.value?.isDevelopment ? [...screens, codeScreen] : screens)

const others = {
  stream: StreamScreen,
  cause: CauseScreen,
  rows: RowsScreen,
  row: RowScreen,
  reaction: ReactionScreen,
  'what-if': WhatIfScreen,
} as const

const info = signal<Info | undefined>(undefined)
const failure = signal<string | undefined>(undefined)
const isHelpOpen = signal(false)

function screenAt(path: string | undefined) {
  const found = screens.find((each) => each.path === path)
  if (found !== undefined) return found.screen
  if (path === codeScreen.path) return codeScreen.screen
  return path !== undefined && Object.hasOwn(others, path) ? others[path as keyof typeof others] : LogScreen
}

const modeOf = ({ isDevelopment, isWritable }: Info): string =>
  isDevelopment ? 'the domain runs' : isWritable ? 'writable' : 'read only'

function Studio() {
  const [path = 'log'] = place.value.path
  const Screen = screenAt(path)
  return (
    <>
      <header>
        <h1>
          <a href={link(['log'])}>Mneme</a>
        </h1>
        <nav aria-label="Screens">
          {screensNow().map((each) => (
            <a key={each.path} href={link([each.path])} aria-current={each.path === path ? 'page' : undefined}>
              {each.name}
              {each === codeScreen && <Differing />}
            </a>
          ))}
        </nav>
        <OpenForm />
        <p class="store faint">{info.value && `${info.value.store}, ${modeOf(info.value)}`}</p>
        <button type="button" class="help" aria-label="Keys" onClick={() => (isHelpOpen.value = !isHelpOpen.value)}>
          ?
        </button>
      </header>
      <main>
        {failure.value !== undefined && <Failure message={failure.value} />}
        {info.value?.isDevelopment && <CodeTrouble />}
        {isHelpOpen.value && <Help />}
        <Screen info={info.value} />
      </main>
    </>
  )
}

/** Goes to a stream, or to a command by its id. */
function OpenForm() {
  const open = (submitted: SubmitEvent) => {
    submitted.preventDefault()
    const input = (submitted.currentTarget as HTMLFormElement).elements.namedItem('what') as HTMLInputElement
    const what = input.value.trim()
    const slash = what.indexOf('/')
    if (what === '') return
    go(slash > 0 ? link(['stream', what.slice(0, slash), what.slice(slash + 1)]) : link(['cause', what]))
    input.value = ''
    input.blur()
  }
  return (
    <form class="open" onSubmit={open}>
      <input
        name="what"
        aria-label="A stream or the id of a command"
        placeholder="account/ada, or a command id"
        autocomplete="off"
        spellcheck={false}
      />
    </form>
  )
}

function Help() {
  return (
    <aside class="panel keys">
      <h3>Keys</h3>
      <dl class="facts">
        <dt>1 2 3 4 5</dt>
        <dd>the screens</dd>
        <dt>/</dt>
        <dd>open a stream or a command</dd>
        <dt>j k, Enter</dt>
        <dd>in the log: the next or the previous event, and its stream</dd>
        <dt>← →</dt>
        <dd>in a stream or a row: the previous or the next version, ten of them with Shift</dd>
        <dt>Page Up, Page Down, Home, End</dt>
        <dd>a hundred versions, the first, the last</dd>
        <dt>?</dt>
        <dd>this list</dd>
      </dl>
    </aside>
  )
}

addEventListener('keydown', (pressed) => {
  const { key, target, shiftKey } = pressed
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return
  const isField = target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
  const isTyping = isField || (target instanceof HTMLInputElement && target.type !== 'range')
  if (isTyping) {
    if (key === 'Escape') target.blur()
    return
  }
  // Enter on a button or a link is theirs.
  if (key === 'Enter' && target instanceof HTMLElement && target.closest('a, button')) return
  const screen = screensNow()[Number(key) - 1]
  const isUsed = (isOnVersions() ? streamKey(key, shiftKey) : logKey(key)) || otherKey(key, screen?.path)
  if (isUsed) pressed.preventDefault()
})

/** Whether the screen has a slider. */
const isOnVersions = () => place.value.path[0] === 'stream' || place.value.path[0] === 'row'

function otherKey(key: string, screen: string | undefined): boolean {
  if (screen !== undefined) go(link([screen]))
  else if (key === '/') document.querySelector<HTMLInputElement>('.open input')?.focus()
  else if (key === '?') isHelpOpen.value = !isHelpOpen.value
  else if (key === 'Escape') isHelpOpen.value = false
  else return false
  return true
}

api.info().then(
  (answer) => {
    info.value = answer
    if (answer.isDevelopment) watchCode()
  },
  (error: Error) => {
    failure.value = error.message
  },
)
render(<Studio />, document.body)
