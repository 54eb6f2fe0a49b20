/** Chooses a command, fills in its data, and tries it. */
import { useSignal } from '@preact/signals'
import type { CommandsView, Json, TriedCommand } from '../src/studio/views.ts'
import { place } from './place.ts'
import { initialOf, type Schema } from './schema-fields.ts'
import { JsonField, SchemaForm } from './schema-form.tsx'

interface Props {
  readonly commands: CommandsView['commands']
  readonly onTry: (command: TriedCommand) => void
}

export function CommandForm({ commands, onTry }: Props) {
  const chosen = useSignal(place.value.query.get('command') ?? undefined)
  const isJson = useSignal(false)
  /** What was filled in, by the names of commands. */
  const drafts = useSignal<Readonly<Record<string, Json>>>({})
  const command = commands.find(({ name }) => name === chosen.value) ?? commands[0]
  if (command === undefined) return <p class="empty">This aggregate has no commands.</p>
  const { name } = command
  const schema = command.schema as Schema | undefined
  const data = drafts.value[name] ?? (schema === undefined ? {} : initialOf(schema, schema))
  const change = (after: Json) => {
    drafts.value = { ...drafts.value, [name]: after }
  }
  const submit = (submitted: SubmitEvent) => {
    submitted.preventDefault()
    const form = submitted.currentTarget as HTMLFormElement
    const wrong = form.querySelector<HTMLElement>('[aria-invalid="true"]')
    if (wrong !== null) wrong.focus()
    else onTry({ name, data })
  }
  return (
    // The schema of the domain says what is wrong, not the browser.
    <form class="command" noValidate onSubmit={submit}>
      <div class="bar">
        <select
          aria-label="Command"
          value={name}
          onChange={(changed) => {
            chosen.value = changed.currentTarget.value
          }}
        >
          {commands.map((each) => (
            <option key={each.name} value={each.name}>
              {each.name}
            </option>
          ))}
        </select>
        {schema !== undefined && (
          <label class="faint">
            <input
              type="checkbox"
              checked={isJson.value}
              onChange={(changed) => {
                isJson.value = changed.currentTarget.checked
              }}
            />{' '}
            as JSON
          </label>
        )}
      </div>
      {schema === undefined || isJson.value ? (
        <JsonField key={name} value={data} label="" onChange={change} />
      ) : (
        <SchemaForm key={name} schema={schema} root={schema} value={data} label="" onChange={change} />
      )}
      <button type="submit" class="main">
        Try it
      </button>
    </form>
  )
}
