/** One stream, with a slider over its versions: the state there, what its event changed, and what caused it. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { ChangeView, StepView } from '../src/studio/views.ts'
import { api, type Stream } from './api.ts'
import { valueAt } from './apply-changes.ts'
import { CauseTree } from './cause-screen.tsx'
import { ChangeTable } from './change-table.tsx'
import { JsonView } from './json-view.tsx'
import { Facts, Failure, Line, StreamName, Time, Type } from './parts.tsx'
import { go, place, streamLink } from './place.ts'
import { type AskReasons, Reasons } from './reasons.tsx'
import { Steps, type StepsSource } from './steps.ts'
import { StreamTitle } from './stream-title.tsx'

/** How often the end of the stream is asked for. */
const lookMs = 2000

const sourceOf = (stream: Stream): StepsSource => ({
  steps: (from, count, signal) => api.steps(stream, from, count, signal),
  end: async (signal) => (await api.end(stream, signal)).end,
})

export function StreamScreen() {
  const [, aggregate = '', id = '', at] = place.value.path
  const stream = { aggregate, id }
  return (
    <Versions
      key={JSON.stringify(stream)}
      source={() => sourceOf(stream)}
      at={at}
      linkTo={(sequence) => streamLink(aggregate, id, sequence)}
      ask={(path, sequence, signal) => api.reasons(stream, path, sequence, signal)}
      what="State"
      beginning="This is the initial state of the aggregate."
      heading={(sequence) => <StreamTitle stream={stream} sequence={sequence} />}
    />
  )
}

/** What the keys move. */
let current: Steps | undefined

interface VersionsProps {
  /** What stands above the slider of a version. */
  readonly heading: (sequence: number) => ComponentChildren
  readonly source: () => StepsSource
  /** The version in the address. */
  readonly at: string | undefined
  readonly linkTo: (sequence: number) => string
  readonly ask: AskReasons
  /** What has the versions: a state or a row. */
  readonly what: 'State' | 'Row'
  readonly beginning: string
  /** Whether there is more to look through for further versions at once. */
  readonly isLooking?: () => boolean
}

/** A slider over events, with what was after each. */
export function Versions({ heading, source, at, linkTo, isLooking, ...parts }: VersionsProps) {
  const steps = useMemo(() => new Steps(source()), [])
  useEffect(() => {
    current = steps
    void steps.open(at === undefined ? undefined : Number(at))
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      // What does not work is told by the next question that somebody asks.
      if (document.visibilityState === 'visible') await steps.lookAtEnd().catch(() => {})
      timer = setTimeout(look, isLooking?.() ? 0 : lookMs)
    }
    timer = setTimeout(look, isLooking === undefined ? lookMs : 0)
    return () => {
      clearTimeout(timer)
      current = undefined
      steps.close()
    }
  }, [steps])
  const wanted = at === undefined ? undefined : Number(at)
  /** The version that this page wrote into the address. Somebody may have moved on since, so it asks for nothing. */
  const written = useRef<number | undefined>(undefined)
  useEffect(() => {
    if (wanted !== undefined && wanted !== written.current && steps.sequence.value >= 0) steps.moveTo(wanted)
  }, [wanted, steps])
  // Until the steps are there, it is the one in the address, so that a link that is clicked early leads to it.
  const asked = wanted !== undefined && Number.isSafeInteger(wanted) ? Math.max(0, wanted) : 0
  const sequence = steps.sequence.value < 0 ? asked : steps.sequence.value
  useEffect(() => {
    if (steps.sequence.value < 0) return
    // Browsers refuse to change the address too often.
    const timer = setTimeout(() => {
      written.current = steps.sequence.value
      go(linkTo(written.current), { isSame: true })
    }, 250)
    return () => clearTimeout(timer)
  }, [sequence])
  return (
    <section class="stream">
      {heading(sequence)}
      <Slider steps={steps} />
      {steps.failure.value !== undefined && <Failure message={steps.failure.value} />}
      <Version steps={steps} {...parts} />
    </section>
  )
}

function Slider({ steps }: { readonly steps: Steps }) {
  const sequence = Math.max(0, steps.sequence.value)
  const end = steps.end.value
  return (
    <div class="slider">
      <button
        type="button"
        aria-label="Previous version"
        disabled={sequence === 0}
        onClick={() => steps.moveTo(sequence - 1)}
      >
        ‹
      </button>
      <input
        type="range"
        min={0}
        max={end}
        value={sequence}
        aria-label="Version"
        aria-valuetext={`version ${sequence} of ${end}`}
        onInput={(input) => steps.moveTo(Number(input.currentTarget.value))}
      />
      <button
        type="button"
        aria-label="Next version"
        disabled={sequence === end}
        onClick={() => steps.moveTo(sequence + 1)}
      >
        ›
      </button>
      <output>
        <b>{sequence}</b> of {end}
      </output>
    </div>
  )
}

interface VersionProps extends Pick<VersionsProps, 'ask' | 'what' | 'beginning'> {
  readonly steps: Steps
}

function Version({ steps, ask, what, beginning }: VersionProps) {
  const picked = useSignal<ChangeView['path'] | undefined>(undefined)
  // While a page is on its way, what was shown before stays.
  const last = useRef(steps.shown.value)
  const shown = steps.shown.value ?? last.current
  last.current = shown
  if (shown === undefined) return <p class="empty">{steps.failure.value === undefined && 'Loading ...'}</p>
  const { sequence, step, state } = shown
  return (
    <div class="version">
      <div class="panel">
        <h3>
          {what} at {sequence}
        </h3>
        {state === undefined ? (
          <p class="empty">Without the code of the domain there are no states.</p>
        ) : (
          <JsonView value={state} changed={step?.changes ?? []} onPick={(path) => (picked.value = path)} />
        )}
        {picked.value !== undefined && state !== undefined && (
          <Reasons
            steps={steps}
            ask={ask}
            path={picked.value}
            value={valueAt(state, picked.value)}
            onClose={() => (picked.value = undefined)}
          />
        )}
      </div>
      <div class="panel">
        {step === undefined ? (
          <>
            <h3>No event yet</h3>
            <p class="empty">{beginning}</p>
          </>
        ) : (
          <>
            <h3>
              <Type name={step.event.type} />
            </h3>
            {what === 'Row' && (
              <p>
                <StreamName {...step.event} />
              </p>
            )}
            <ChangeList changes={step.changes} more={step.more} hasState={state !== undefined} />
            <h4>Data</h4>
            <JsonView value={step.event.data} />
            {step.event.stored !== undefined && (
              <>
                <h4>As it is stored</h4>
                <JsonView value={step.event.stored} />
              </>
            )}
            <h4>Command</h4>
            <Facts event={step.event} />
            <CauseTree id={step.event.commitId} position={step.event.position} isQuiet />
          </>
        )}
      </div>
      <EventList steps={steps} />
    </div>
  )
}

/** What the event changed. */
function ChangeList({
  changes,
  more,
  hasState,
}: {
  readonly changes: readonly ChangeView[]
  readonly more: number
  readonly hasState: boolean
}) {
  if (!hasState) return null
  return <ChangeTable changes={changes} more={more} />
}

/** How long the slider has to stand still before the list shows other events. */
const listMs = 100

/** The events of the page around the version. While the slider moves on to other pages, the list waits. */
function EventList({ steps }: { readonly steps: Steps }) {
  const listed = useSignal(steps.around.value)
  const list = useRef<HTMLOListElement>(null)
  const around = steps.around.value
  useEffect(() => {
    if (around === listed.value) return
    const timer = setTimeout(() => {
      listed.value = around
    }, listMs)
    return () => clearTimeout(timer)
  }, [around])
  const sequence = steps.sequence.value
  // Only two items change when the slider moves, so they are not made again.
  const items = useMemo(() => listed.value.map(({ number, step }) => item(steps, number, step)), [listed.value])
  useEffect(() => {
    const all = list.current
    all?.querySelector('[aria-current]')?.removeAttribute('aria-current')
    const index = sequence - (listed.value[0]?.number ?? 0)
    const current = all?.children[index] as HTMLElement | undefined
    if (!all || !current) return
    current.setAttribute('aria-current', 'true')
    // Only the list is moved, and not the page, in which it may be far below.
    const { offsetTop: top, offsetHeight: height } = current
    if (top < all.scrollTop) all.scrollTop = top
    else if (top + height > all.scrollTop + all.clientHeight) all.scrollTop = top + height - all.clientHeight
  }, [sequence, listed.value])
  return (
    <div class="panel list">
      <h3>Events</h3>
      <ol ref={list}>{items}</ol>
    </div>
  )
}

function item(steps: Steps, number: number, { event }: StepView) {
  return (
    <li key={number}>
      <button type="button" onClick={() => steps.moveTo(number)}>
        <span class="faint">{number}</span> <Type name={event.type} />
        <Line value={event.data} />
        <Time at={event.recordedAt} />
      </button>
    </li>
  )
}

const strides: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -100, PageDown: 100 }

/** Moves along the versions by keys. @returns whether the key means something here */
export function streamKey(key: string, isShift: boolean): boolean {
  if (current === undefined) return false
  const { sequence, end } = current
  if (key === 'Home') current.moveTo(0)
  else if (key === 'End') current.moveTo(end.value)
  else if (strides[key] !== undefined) current.moveTo(sequence.value + strides[key] * (isShift ? 10 : 1))
  else return false
  return true
}
