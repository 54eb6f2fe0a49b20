/** A form for data, made of its JSON Schema. Whatever it cannot show is a field for JSON. */
import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import type { Json } from '../src/studio/views.ts'
import { type Field, fieldOf, initialOf, isRecord, type Schema, variantName, variantOf } from './schema-fields.ts'

interface Props {
  readonly schema: Schema
  readonly root: Schema
  readonly value: Json
  readonly onChange: (value: Json) => void
  /** What the field is called, for those who do not see it. */
  readonly label: string
}

export function SchemaForm(props: Props) {
  const { schema, root, value, label, onChange } = props
  const field = fieldOf(schema, root)
  switch (field.kind) {
    case 'record':
      return isRecord(value) ? <RecordField {...props} value={value} field={field} /> : <JsonField {...props} />
    case 'list':
      return Array.isArray(value) ? <ListField {...props} item={field.item} list={value} /> : <JsonField {...props} />
    case 'variants':
      return <VariantsField {...props} variants={field.variants} />
    case 'choice':
      return <ChoiceField {...props} options={field.options} />
    case 'truth':
      return (
        <input
          type="checkbox"
          aria-label={label}
          checked={value === true}
          onChange={(changed) => onChange(changed.currentTarget.checked)}
        />
      )
    case 'number':
      return <NumberField {...props} field={field} />
    case 'text':
      return <TextField {...props} format={field.format} />
    case 'json':
      return <JsonField {...props} />
  }
}

function RecordField({
  value,
  field,
  root,
  label,
  onChange,
}: Omit<Props, 'value'> & {
  readonly value: Readonly<Record<string, Json>>
  readonly field: Field & { readonly kind: 'record' }
}) {
  const { properties } = field
  const isThere = (name: string) => Object.hasOwn(value, name)
  const without = (name: string) => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
  const absent = properties.filter(({ name }) => !isThere(name))
  return (
    <div class="fields">
      {properties
        .filter(({ name }) => isThere(name))
        .map(({ name, schema, isRequired }) => (
          <div key={name} class="field">
            <span class="name">
              {name}
              {schema['x-personal'] === true && <span class="faint"> personal</span>}
            </span>
            <SchemaForm
              schema={schema}
              root={root}
              value={value[name]!}
              label={label === '' ? name : `${label} ${name}`}
              onChange={(after) => onChange({ ...value, [name]: after })}
            />
            {!isRequired && (
              <button
                type="button"
                class="close"
                aria-label={`Leave out ${name}`}
                onClick={() => onChange(without(name))}
              >
                ×
              </button>
            )}
          </div>
        ))}
      {absent.length > 0 && (
        <p class="optional">
          {absent.map(({ name, schema }) => (
            <button key={name} type="button" onClick={() => onChange({ ...value, [name]: initialOf(schema, root) })}>
              + {name}
            </button>
          ))}
        </p>
      )}
      {properties.length === 0 && <span class="faint">no data</span>}
    </div>
  )
}

function ListField({
  item,
  list,
  root,
  label,
  onChange,
}: Props & { readonly item: Schema; readonly list: readonly Json[] }) {
  return (
    <div class="fields">
      {list.map((each, i) => (
        <div key={i} class="field">
          <span class="name faint">{i}</span>
          <SchemaForm
            schema={item}
            root={root}
            value={each}
            label={`${label} ${i}`}
            onChange={(after) => onChange(list.with(i, after))}
          />
          <button
            type="button"
            class="close"
            aria-label={`Remove ${label} ${i}`}
            onClick={() => onChange(list.filter((_, other) => other !== i))}
          >
            ×
          </button>
        </div>
      ))}
      <p class="optional">
        <button type="button" aria-label={`Add to ${label}`} onClick={() => onChange([...list, initialOf(item, root)])}>
          + add
        </button>
      </p>
    </div>
  )
}

function VariantsField(props: Props & { readonly variants: readonly Schema[] }) {
  const { variants, root, value, label, onChange } = props
  const chosen = useSignal<number | undefined>(undefined)
  const current = chosen.value ?? variantOf(variants, value, root)
  return (
    <div class="fields">
      <select
        aria-label={`Kind of ${label}`}
        value={current}
        onChange={(changed) => {
          chosen.value = Number(changed.currentTarget.value)
          onChange(initialOf(variants[chosen.value]!, root))
        }}
      >
        {variants.map((variant, i) => (
          <option key={i} value={i}>
            {variantName(variant, root)}
          </option>
        ))}
      </select>
      <SchemaForm {...props} schema={variants[current]!} />
    </div>
  )
}

function ChoiceField({ options, value, label, onChange }: Props & { readonly options: readonly Json[] }) {
  if (options.length === 1) return <code>{JSON.stringify(options[0])}</code>
  const index = options.indexOf(value)
  return (
    <select
      aria-label={label}
      value={index}
      onChange={(changed) => onChange(options[Number(changed.currentTarget.value)]!)}
    >
      {options.map((option, i) => (
        <option key={i} value={i}>
          {typeof option === 'string' ? option : JSON.stringify(option)}
        </option>
      ))}
    </select>
  )
}

function TextField({ format, value, label, onChange }: Props & { readonly format: string | undefined }) {
  const common = {
    'aria-label': label,
    value: typeof value === 'string' ? value : '',
    onInput: (changed: { readonly currentTarget: HTMLInputElement }) => onChange(changed.currentTarget.value),
  }
  if (format === 'date') return <input type="date" {...common} />
  const placeholder = format === 'date-time' ? '2026-01-31T12:00:00Z' : (format ?? '')
  return <input type="text" {...common} placeholder={placeholder} autocomplete="off" spellcheck={false} />
}

function NumberField({
  field,
  value,
  label,
  onChange,
}: Props & { readonly field: Field & { readonly kind: 'number' } }) {
  const { isWhole, least, most } = field
  return (
    <input
      type="number"
      aria-label={label}
      step={isWhole ? 1 : 'any'}
      {...(least !== undefined && { min: least })}
      {...(most !== undefined && { max: most })}
      value={typeof value === 'number' ? value : ''}
      onInput={(changed) => onChange(changed.currentTarget.value === '' ? null : changed.currentTarget.valueAsNumber)}
    />
  )
}

/** A field for any JSON. While it is none, the value stays as it was. */
export function JsonField({ value, label, onChange }: Pick<Props, 'value' | 'label' | 'onChange'>) {
  const text = useSignal<string | undefined>(undefined)
  const wrong = useSignal<string | undefined>(undefined)
  const id = useId()
  const shown = text.value ?? JSON.stringify(value, null, 2)
  return (
    <div class="fields">
      <textarea
        aria-label={label === '' ? 'Data as JSON' : `${label} as JSON`}
        aria-invalid={wrong.value !== undefined}
        aria-describedby={id}
        spellcheck={false}
        rows={Math.min(20, Math.max(2, shown.split('\n').length))}
        value={shown}
        onInput={(changed) => {
          text.value = changed.currentTarget.value
          try {
            onChange(JSON.parse(text.value) as Json)
            wrong.value = undefined
          } catch (error) {
            wrong.value = (error as Error).message
          }
        }}
      />
      <span id={id} class="wrong" role="status">
        {wrong.value}
      </span>
    </div>
  )
}
