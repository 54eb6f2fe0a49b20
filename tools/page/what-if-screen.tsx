/**
 * A world beside the real one: a stream up to a version, in which events can be different and commands are tried. Its
 * address has all of that, so it can be kept and sent. Nothing is stored, unless somebody sends the command for real.
 */
import { useComputed, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { CommandsView, EventView, Info, WorldView } from '../src/studio/views.ts'
import { api, type Stream } from './api.ts'
import { CommandForm } from './command-form.tsx'
import { Failure } from './parts.tsx'
import { go, link, place, streamLink } from './place.ts'
import { SendIt } from './send-it.tsx'
import { TestPanel } from './test-panel.tsx'
import { type World, worldAt, worldLink } from './world.ts'
import { OtherEvents } from './world-events.tsx'
import { BothWorlds, Outcome } from './world-parts.tsx'

/** How many events before the fork are listed. */
const listed = 50

export function WhatIfScreen({ info }: { readonly info: Info | undefined }) {
  const [, aggregate = '', id, at] = place.value.path
  if (id === undefined) return <AskForId aggregate={aggregate} />
  return <WhatIf key={`${aggregate} ${id}`} stream={{ aggregate, id }} at={at} isWritable={info?.isWritable ?? false} />
}

/** For a command whose stream is not known yet. */
function AskForId({ aggregate }: { readonly aggregate: string }) {
  const open = (submitted: SubmitEvent) => {
    submitted.preventDefault()
    const input = (submitted.currentTarget as HTMLFormElement).elements.namedItem('id') as HTMLInputElement
    const command = place.value.query.get('command')
    if (input.value !== '') go(link(['what-if', aggregate, input.value], command === null ? {} : { command }))
  }
  return (
    <section>
      <h2>A command for {aggregate}</h2>
      <form class="bar" onSubmit={open}>
        <label>
          <span class="faint">id </span>
          <input name="id" autocomplete="off" spellcheck={false} />
        </label>
        <button type="submit">Go on</button>
      </form>
    </section>
  )
}

interface WhatIfProps {
  readonly stream: Stream
  readonly at: string | undefined
  readonly isWritable: boolean
}

function WhatIf({ stream, at, isWritable }: WhatIfProps) {
  const { aggregate, id } = stream
  const commands = useSignal<CommandsView['commands'] | undefined>(undefined)
  const events = useSignal<readonly EventView[]>([])
  const end = useSignal<number | undefined>(undefined)
  const view = useSignal<WorldView | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  const sequence = useComputed(() => Math.min(Number(at ?? end.value ?? 0), end.value ?? 0))
  const world = worldAt(place.value)
  const key = JSON.stringify([at, world])
  useEffect(() => {
    const ending = new AbortController()
    const { signal } = ending
    const read = async () => {
      commands.value ??= (await api.commands(aggregate)).commands
      const last = (await api.end(stream, signal)).end
      const forkedAt = Math.min(Number(at ?? last), last)
      const [steps, answer] = await Promise.all([
        api.steps(stream, Math.max(1, forkedAt - listed + 1), listed, signal),
        api.world({ ...stream, sequence: forkedAt, ...world }, signal),
      ])
      end.value = last
      events.value = steps.steps.map(({ event }) => event).filter((event) => event.sequence <= forkedAt)
      view.value = answer
      failure.value = undefined
    }
    read().catch((error: Error) => {
      if (!signal.aborted) failure.value = error.message
    })
    return () => ending.abort()
  }, [key])
  const goTo = (next: World, from: number = sequence.value) =>
    go(worldLink({ ...stream, sequence: from }, next, commands.value ?? []))
  const isTesting = useSignal(false)
  const isReal = world.edits.length === 0 && sequence.value === end.value
  return (
    <section class="what-if">
      <div class="title">
        <h2>
          What if: <a href={streamLink(aggregate, id, sequence.value)}>{`${aggregate}/${id}`}</a>
        </h2>
        <span class="actions">
          <button type="button" aria-expanded={isTesting.value} onClick={() => (isTesting.value = !isTesting.value)}>
            Copy as a test
          </button>
        </span>
      </div>
      {failure.value !== undefined && <Failure message={failure.value} />}
      {end.value !== undefined && (
        <ForkedAt sequence={sequence.value} end={end.value} onChange={(next) => goTo(world, next)} />
      )}
      {isTesting.value && view.value !== undefined && (
        <TestPanel
          question={{ ...stream, sequence: sequence.value, ...world }}
          onClose={() => (isTesting.value = false)}
        />
      )}
      {view.value !== undefined && (
        <div class="version">
          <OtherEvents
            events={events.value}
            sequence={sequence.value}
            edits={world.edits}
            onChange={(edits) => goTo({ ...world, edits })}
          />
          <div class="panel">
            <h3>Commands</h3>
            <ol class="plain outcomes">
              {world.commands.map((command, i) => (
                <Outcome
                  key={`${i} ${command.name}`}
                  command={command}
                  outcome={view.value?.outcomes[i]}
                  onRemove={() => goTo({ ...world, commands: world.commands.filter((_, other) => other !== i) })}
                />
              ))}
            </ol>
            {isWritable && isReal && world.commands.length === 1 && view.value.outcomes.length === 1 && (
              <SendIt
                key={JSON.stringify(world.commands)}
                stream={stream}
                command={world.commands[0]!}
                expectedSequence={sequence.value}
              />
            )}
            <CommandForm
              commands={commands.value ?? []}
              onTry={(command) => goTo({ ...world, commands: [...world.commands, command] })}
            />
          </div>
          <BothWorlds view={view.value} isSame={world.edits.length + world.commands.length === 0} />
        </div>
      )}
    </section>
  )
}

function ForkedAt({
  sequence,
  end,
  onChange,
}: {
  readonly sequence: number
  readonly end: number
  readonly onChange: (sequence: number) => void
}) {
  return (
    <div class="bar">
      <label>
        <span class="faint">after version </span>
        <input
          type="number"
          min={0}
          max={end}
          value={sequence}
          onChange={(changed) => {
            const next = changed.currentTarget.valueAsNumber
            if (Number.isInteger(next)) onChange(Math.max(0, Math.min(end, next)))
          }}
        />
        <span class="faint"> of {end}</span>
      </label>
      <span class="faint">Nothing here is stored. The address keeps it.</span>
    </div>
  )
}
