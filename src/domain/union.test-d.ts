/**
 * A state that is a union of shapes: each `on` and each decision is checked against the shape that it handles.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { z } from 'zod'
import { aggregate } from './aggregate.ts'
import { event } from './event.ts'
import { reject } from './rejection.ts'

export const Drafted = event('Drafted', z.object({ title: z.string() }))
export const Published = event('Published', z.object({ url: z.string() }))

type Article =
  | { readonly phase: 'absent' }
  | { readonly phase: 'draft'; readonly title: string; readonly tags: readonly string[] }
  | { readonly phase: 'live'; readonly title: string; readonly url: string }

export const article = aggregate('article', (): Article => ({ phase: 'absent' }))
  .on(Drafted, (_, { title }) => ({ phase: 'draft', title, tags: [] }))
  .on(Published, (state, { url }) => (state.phase === 'draft' ? { phase: 'live', title: state.title, url } : state))
  .command('draft', z.object({ title: z.string() }), (state, { title }) =>
    state.phase === 'absent' ? Drafted({ title }) : reject('Exists'),
  )
  .command('publish', z.object({ url: z.string() }), (state, { url }) => {
    switch (state.phase) {
      case 'draft':
        return [Published({ url })]
      case 'live':
        return state.url === url ? [] : reject('AlreadyPublished', { at: state.url })
      case 'absent':
        return reject('NoDraft')
    }
  })

// @ts-expect-error `live` needs a url
aggregate('x', (): Article => ({ phase: 'absent' })).on(Drafted, (_, { title }) => ({ phase: 'live', title }))
// @ts-expect-error no such property in any phase
aggregate('x', (): Article => ({ phase: 'absent' })).on(Drafted, (_, { title }) => ({
  phase: 'draft',
  title,
  tags: [],
  subtitle: '',
}))
