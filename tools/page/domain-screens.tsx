/** The catalogue of the domain, and its projections and reactions. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { CatalogueView, FollowerView, Info, ParkedView, RebuildView } from '../src/studio/views.ts'
import { api } from './api.ts'
import { ManageButton, Pause, Rebuild } from './manage-buttons.tsx'
import { Begins, Failure, Time, Type } from './parts.tsx'
import { link } from './place.ts'

const noDomain = 'Without the code of the domain there is nothing to show here. Start the studio with --domain.'

export function CatalogueScreen() {
  const found = useSignal<CatalogueView | null | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  useEffect(() => {
    api.catalogue().then(
      ({ catalogue }) => {
        found.value = catalogue ?? null
      },
      (error: Error) => {
        failure.value = error.message
      },
    )
  }, [])
  if (failure.value !== undefined) return <Failure message={failure.value} />
  if (found.value === undefined) return <p class="empty">Loading ...</p>
  if (found.value === null) return <p class="empty">{noDomain}</p>
  const { aggregates, projections, reactions } = found.value
  return (
    <section class="catalogue">
      <h2>Catalogue</h2>
      <div class="cards">
        {aggregates.map(({ name, commands, events }) => (
          <article key={name} class="panel">
            <h3>
              <a href={link(['log'], { aggregate: name })}>{name}</a>
            </h3>
            <h4>Commands</h4>
            <p>
              {commands.map((command) => (
                <a key={command} class="chip" href={link(['what-if', name], { command })}>
                  <code>{command}</code>
                </a>
              ))}
            </p>
            <h4>Events</h4>
            <ul class="plain">
              {events.map(({ type, revision, handledBy }) => (
                <li key={type}>
                  <a href={link(['log'], { aggregate: name, type })}>
                    <Type name={type} />
                  </a>
                  {revision > 1 && <span class="faint"> revision {revision}</span>}
                  {handledBy.length > 0 && <span class="faint handlers">→ {handledBy.join(', ')}</span>}
                </li>
              ))}
            </ul>
          </article>
        ))}
        <article class="panel">
          <h3>Projections</h3>
          <ul class="plain">
            {projections.map(({ name, shape }) => (
              <li key={name}>
                {name} <span class="faint">{shape}</span>
              </li>
            ))}
          </ul>
          <h3>Reactions</h3>
          <ul class="plain">
            {reactions.map(({ name, sendsTo }) => (
              <li key={name}>
                {name} <span class="faint">{sendsTo.length === 0 ? '' : `→ ${sendsTo.join(', ')}`}</span>
              </li>
            ))}
          </ul>
        </article>
      </div>
    </section>
  )
}

const everyMs = 2000

export function FollowersScreen({ info }: { readonly info: Info | undefined }) {
  const isWritable = info?.isWritable ?? false
  const found = useSignal<readonly FollowerView[] | undefined>(undefined)
  const parked = useSignal<readonly ParkedView[]>([])
  const rebuilds = useSignal<readonly RebuildView[]>([])
  const failure = useSignal<string | undefined>(undefined)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOver = false
    const read = async () => {
      try {
        const asked = [api.followers(), api.parked(), api.rebuilds()] as const
        const [{ followers }, { parked: aside }, { rebuilds: begun }] = await Promise.all(asked)
        rebuilds.value = begun
        found.value = followers
        parked.value = aside
        failure.value = undefined
      } catch (error) {
        failure.value = (error as Error).message
      }
      if (!isOver) timer = setTimeout(read, everyMs)
    }
    void read()
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [])
  const list = found.value
  return (
    <section class="followers">
      <h2>Projections and reactions</h2>
      {failure.value !== undefined && <Failure message={failure.value} />}
      {list?.length === 0 && <p class="empty">{noDomain}</p>}
      {list !== undefined && list.length > 0 && (
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Position</th>
              <th scope="col">Behind</th>
              <th scope="col">Oldest unhandled</th>
              <th scope="col">Parked</th>
            </tr>
          </thead>
          <tbody>
            {list.map((each) => (
              <FollowerRow key={`${each.kind} ${each.name}`} follower={each}>
                {isWritable && <Pause follower={each} />}
                {isWritable && each.kind === 'projection' && (
                  <Rebuild
                    name={each.name}
                    rebuild={rebuilds.value.find(({ projection }) => projection === each.name)}
                  />
                )}
                {isWritable && each.kind === 'reaction' && each.parked !== undefined && each.parked > 0 && (
                  <ManageButton
                    label="Hand back"
                    question={`Hand all that ${each.name} has parked back to the process that runs it?`}
                    asked={{ action: 'retry', kind: 'reaction', name: each.name }}
                  />
                )}
              </FollowerRow>
            ))}
          </tbody>
        </table>
      )}
      {parked.value.length > 0 && <ParkedList parked={parked.value} isWritable={isWritable} />}
    </section>
  )
}

/** Events that projections have put aside, and why. */
function ParkedList({ parked, isWritable }: { readonly parked: readonly ParkedView[]; readonly isWritable: boolean }) {
  const names = [...new Set(parked.map(({ projection }) => projection))]
  return (
    <>
      <h3 class="apart">Parked events</h3>
      {isWritable &&
        names.map((name) => (
          <p key={name}>
            <ManageButton
              label={`Handle those of ${name} again`}
              question={`Handle all parked events of ${name} again?`}
              asked={{ action: 'retry', kind: 'projection', name }}
            />
          </p>
        ))}
      <ul class="plain">
        {parked.map(({ projection, position, aggregate, id, type, reason, parkedAt }) => (
          <li key={`${projection} ${position}`} class="panel">
            <Type name={type} /> <span class="faint">at {position} of</span>{' '}
            <a href={link(['stream', aggregate, id])}>
              {aggregate}/{id}
            </a>{' '}
            <span class="faint">by {projection}, </span>
            <Time at={parkedAt} />
            <div>{reason}</div>
            {isWritable && (
              <ManageButton
                label={`Skip ${position}`}
                question={`${projection} will never handle the event at position ${position}. Skip it?`}
                asked={{ action: 'skip', kind: 'projection', name: projection, position }}
              />
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

function FollowerRow({
  follower,
  children,
}: {
  readonly follower: FollowerView
  readonly children: ComponentChildren
}) {
  const { kind, name, position, head, lagMs, parked, pausedSince, failure, beginning } = follower
  return (
    <tr>
      <th scope="row">
        <a
          href={link([kind === 'projection' ? 'rows' : 'reaction', name])}
          title={kind === 'projection' ? 'Its rows' : 'What it has still to do'}
        >
          {name}
        </a>{' '}
        <span class="faint">{kind}</span>
        {pausedSince !== undefined && (
          <div class="faint">
            paused since <Time at={pausedSince} />
          </div>
        )}
        {beginning !== undefined && (
          <div class="faint">
            has never run; begins <Begins beginning={beginning} />
          </div>
        )}
        {failure !== undefined && <Failure message={failure} />}
        <div class="manage">{children}</div>
      </th>
      <td>
        {position === undefined ? (
          'unknown'
        ) : (
          <>
            {position} <progress max={Math.max(1, head)} value={position} aria-label={`${position} of ${head}`} />
          </>
        )}
      </td>
      <td>{position === undefined ? '' : head - position}</td>
      <td>{lagMs === undefined ? '' : lagMs === 0 ? '-' : `${Math.round(lagMs / 1000)} s`}</td>
      <td>{parked ?? ''}</td>
    </tr>
  )
}
