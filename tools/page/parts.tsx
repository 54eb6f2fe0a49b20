/** Small parts that several screens share. */
import { useSignal } from '@preact/signals'
import type { BeginningView, EventView, Json } from '../src/studio/views.ts'
import { link, streamLink } from './place.ts'

/** A type of event always has the same colour. */
export function Type({ name }: { readonly name: string }) {
  let hash = 0
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) % 360
  return (
    <span class="type">
      <svg class="dot" viewBox="0 0 10 10" aria-hidden="true">
        <circle cx="5" cy="5" r="4" fill={`hsl(${hash} 65% 50%)`} />
      </svg>
      {name}
    </span>
  )
}

export function StreamName({ aggregate, id, sequence }: Pick<EventView, 'aggregate' | 'id' | 'sequence'>) {
  return (
    <a href={streamLink(aggregate, id, sequence)} title={`${aggregate} ${id}, as it was after this event`}>
      {aggregate}/<b>{id}</b> <span class="faint">#{sequence}</span>
    </a>
  )
}

// Made once, because making one takes longer than a frame has for a hundred times.
const timeFormat = new Intl.DateTimeFormat([], { timeStyle: 'medium', hour12: false })
const dateFormat = new Intl.DateTimeFormat([], { dateStyle: 'short' })

/** A time as the person who looks has it; the exact one is in the tooltip. */
export function Time({ at }: { readonly at: string }) {
  const date = new Date(at)
  const isToday = date.toDateString() === new Date().toDateString()
  const time = `${timeFormat.format(date)}.${String(date.getMilliseconds()).padStart(3, '0')}`
  return (
    <time dateTime={at} title={at}>
      {isToday ? time : `${dateFormat.format(date)} ${time}`}
    </time>
  )
}

/** Where a reaction begins that has never run. */
export function Begins({ beginning }: { readonly beginning: BeginningView }) {
  if (beginning === 'first') return <>at the first event</>
  if (beginning === 'now') return <>behind the last event that is there when its domain is started</>
  if (typeof beginning === 'number') return <>at position {beginning}</>
  return (
    <>
      with what is recorded from <Time at={beginning.time} /> on
    </>
  )
}

const shortMax = 1000

/** JSON as text, cut if it is long. */
export function shortJson(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? ''
  return text.length <= shortMax ? text : `${text.slice(0, shortMax)} ... ${text.length - shortMax} more characters`
}

/** JSON on one line. */
export const Line = ({ value }: { readonly value: Json }) => <code class="line">{shortJson(value)}</code>

export const Failure = ({ message }: { readonly message: string }) => (
  <p class="failure" role="alert">
    {message}
  </p>
)

interface ConfirmedProps {
  readonly label: string
  readonly question: string
  readonly yes: string
  readonly onYes: () => Promise<void>
}

/** A button that asks before it does what cannot be undone. */
export function Confirmed({ label, question, yes, onYes }: ConfirmedProps) {
  const isAsking = useSignal(false)
  const isBusy = useSignal(false)
  const confirm = async () => {
    isBusy.value = true
    await onYes()
    isBusy.value = false
    isAsking.value = false
  }
  if (!isAsking.value) {
    return (
      <button type="button" onClick={() => (isAsking.value = true)}>
        {label}
      </button>
    )
  }
  return (
    <span class="asking" role="alertdialog" aria-label={question}>
      {question}{' '}
      <button type="button" class="main" disabled={isBusy.value} onClick={confirm}>
        {yes}
      </button>{' '}
      <button type="button" disabled={isBusy.value} onClick={() => (isAsking.value = false)}>
        Cancel
      </button>
    </span>
  )
}

/** What is known of an event beside its data. */
export function Facts({ event }: { readonly event: EventView }) {
  const { position, recordedAt, commitId, revision, tags, metadata, unreadable } = event
  return (
    <>
      <dl class="facts">
        <dt>position</dt>
        <dd>{position}</dd>
        <dt>recorded</dt>
        <dd>
          <Time at={recordedAt} />
        </dd>
        <dt>command</dt>
        <dd>
          <a href={link(['cause', commitId])} title="What caused it, and what it caused">
            {commitId}
          </a>
        </dd>
        <dt>revision</dt>
        <dd>{revision}</dd>
        {tags.length > 0 && (
          <>
            <dt>tags</dt>
            <dd>{tags.join(', ')}</dd>
          </>
        )}
        {Object.entries(metadata as Readonly<Record<string, Json>>).map(([name, value]) => (
          <>
            <dt key={name}>{name}</dt>
            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </>
        ))}
      </dl>
      {unreadable !== undefined && <Failure message={`This program cannot read it: ${unreadable}`} />}
    </>
  )
}
