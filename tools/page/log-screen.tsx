/** The log, newest first, with new events as they come. */
import { batch, effect, signal, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { EventView } from '../src/studio/views.ts'
import { api, type Filters } from './api.ts'
import { JsonView } from './json-view.tsx'
import { Facts, Failure, Line, StreamName, Time, Type } from './parts.tsx'
import { go, link, place } from './place.ts'

/** How many events are kept in the page while new ones come. */
const shownMax = 1000

const events = signal<readonly EventView[]>([])
const before = signal<number | undefined>(undefined)
const failure = signal<string | undefined>(undefined)
const isLive = signal(false)
const chosen = signal<number | undefined>(undefined)

const isVisible = signal(document.visibilityState === 'visible')
document.addEventListener('visibilitychange', () => {
  isVisible.value = document.visibilityState === 'visible'
})

const filtersAt = (query: URLSearchParams): Filters => ({
  types: query.getAll('type'),
  aggregates: query.getAll('aggregate'),
  tags: query.getAll('tag'),
})

/** Reads the newest events, then follows the log. @returns a function that ends that */
function follow(filters: Filters): () => void {
  const ending = new AbortController()
  let stop = () => {}
  const begin = async () => {
    const page = await api.events(filters, undefined, ending.signal)
    batch(() => {
      events.value = page.events
      before.value = page.next?.to ?? undefined
      failure.value = undefined
    })
    if (ending.signal.aborted) return
    let waiting: EventView[] = []
    const show = () => {
      const all = [...waiting.reverse(), ...events.value]
      waiting = []
      batch(() => {
        events.value = all.slice(0, shownMax)
        // Those that are no longer shown are read again with the older ones.
        if (all.length > shownMax) before.value = all[shownMax - 1]!.position
      })
    }
    const add = (event: EventView) => {
      if (waiting.push(event) === 1) requestAnimationFrame(show)
    }
    stop = api.live(filters, page.head + 1, add, (isOpen) => {
      isLive.value = isOpen
    })
  }
  begin().catch((error: Error) => {
    if (!ending.signal.aborted) failure.value = error.message
  })
  return () => {
    ending.abort()
    stop()
    isLive.value = false
  }
}

async function readOlder(): Promise<void> {
  const { query } = place.value
  const to = before.value
  try {
    const page = await api.events(filtersAt(query), to)
    // Other filters are set by now, or the end of the list has moved.
    if (place.value.query.toString() !== query.toString() || before.value !== to) return
    batch(() => {
      events.value = [...events.value, ...page.events]
      before.value = page.next?.to ?? undefined
    })
  } catch (error) {
    failure.value = (error as Error).message
  }
}

export function LogScreen() {
  const { query } = place.value
  const filters = query.toString()
  const isSeen = isVisible.value
  // A browser has few connections to one server, so a page that nobody sees gives its own back.
  useEffect(() => (isSeen ? follow(filtersAt(new URLSearchParams(filters))) : undefined), [filters, isSeen])
  const isFiltered = filters !== ''
  return (
    <section class="log">
      <div class="bar">
        <FilterForm />
        <output class={isLive.value ? 'live on' : 'live'} aria-live="off">
          {isLive.value ? 'live' : 'not connected'}
        </output>
      </div>
      {failure.value !== undefined && <Failure message={failure.value} />}
      {events.value.length === 0 && failure.value === undefined && (
        <p class="empty">
          {isFiltered ? 'No event matches.' : 'The log is empty. New events appear here as they are stored.'}
        </p>
      )}
      <ol class="events" aria-label="Events, newest first">
        {events.value.map((event) => (
          <Row key={event.position} event={event} />
        ))}
      </ol>
      {before.value !== undefined && (
        <button type="button" class="older" onClick={readOlder}>
          Older events
        </button>
      )}
    </section>
  )
}

function Row({ event }: { readonly event: EventView }) {
  const isOpen = chosen.value === event.position
  const row = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (isOpen) row.current?.scrollIntoView({ block: 'nearest' })
  }, [isOpen])
  const toggle = () => {
    chosen.value = isOpen ? undefined : event.position
  }
  return (
    <li ref={row} class={isOpen ? 'open' : ''}>
      <div class="row">
        <button type="button" class="position" aria-expanded={isOpen} onClick={toggle} title="Show the event">
          {event.position}
        </button>
        <Type name={event.type} />
        <StreamName {...event} />
        <Line value={event.data} />
        <Time at={event.recordedAt} />
      </div>
      {isOpen && <Details event={event} />}
    </li>
  )
}

function Details({ event: listed }: { readonly event: EventView }) {
  const whole = useSignal<EventView | undefined>(undefined)
  useEffect(() => {
    if (!listed.isCut) return
    const ending = new AbortController()
    api.event(listed.position, ending.signal).then(
      (found) => {
        whole.value = found
      },
      // What is listed of it stays.
      () => {},
    )
    return () => ending.abort()
  }, [listed.position])
  const event = whole.value ?? listed
  return (
    <div class="details">
      <div>
        <h3>{event.stored === undefined ? 'Data' : 'Data, upcast'}</h3>
        <JsonView value={event.data} />
      </div>
      {event.stored !== undefined && (
        <div>
          <h3>As it is stored</h3>
          <JsonView value={event.stored} />
        </div>
      )}
      <div>
        <h3>Facts</h3>
        <Facts event={event} />
      </div>
    </div>
  )
}

const filterNames = ['type', 'aggregate', 'tag'] as const

function FilterForm() {
  const { query } = place.value
  const set = (name: string) => (input: Event) => {
    const given = (input.currentTarget as HTMLInputElement).value.split(',').map((each) => each.trim())
    const all = Object.fromEntries(filterNames.map((each) => [each, query.getAll(each)]))
    go(link(['log'], { ...all, [name]: given.filter(Boolean) }), { isSame: true })
  }
  return (
    <form class="filters" aria-label="Filters" onSubmit={(submitted) => submitted.preventDefault()}>
      {filterNames.map((name) => (
        <label key={name}>
          <span>{name}</span>
          <input
            name={name}
            value={query.getAll(name).join(', ')}
            onChange={set(name)}
            placeholder="any"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
      ))}
    </form>
  )
}

/** Moves the choice by keys: j and k, and Enter opens the stream. @returns whether the key means something here */
export function logKey(key: string): boolean {
  const list = events.value
  const at = list.findIndex(({ position }) => position === chosen.value)
  if (key === 'j' || key === 'k') {
    const next = list[Math.min(list.length - 1, Math.max(0, at + (key === 'j' ? 1 : -1)))]
    chosen.value = next?.position
    return true
  }
  const event = list[at]
  if (key !== 'Enter' || event === undefined) return false
  go(link(['stream', event.aggregate, event.id, String(event.sequence)]))
  return true
}

// What was chosen is of no use on another screen.
effect(() => {
  if (place.value.path[0] !== 'log') chosen.value = undefined
})
