/** Places of a state that changed, each with the value before and after. */
import type { ChangeView } from '../src/studio/views.ts'
import { pathText } from './apply-changes.ts'
import { shortJson } from './parts.tsx'

interface Props {
  readonly changes: readonly ChangeView[]
  /** How many changes are not listed. */
  readonly more: number
}

export function ChangeTable({ changes, more }: Props) {
  if (changes.length === 0) return <p class="empty">It changed nothing.</p>
  return (
    <table class="changes">
      <tbody>
        {changes.map((change) => (
          <tr key={JSON.stringify(change.path)}>
            <th scope="row">{pathText(change.path)}</th>
            <td>
              {'before' in change && <del>{shortJson(change.before)}</del>}
              {'before' in change && 'after' in change && <span class="faint"> → </span>}
              {'after' in change && <ins>{shortJson(change.after)}</ins>}
            </td>
          </tr>
        ))}
        {more > 0 && (
          <tr>
            <td colSpan={2} class="faint">
              and {more} more
            </td>
          </tr>
        )}
      </tbody>
    </table>
  )
}
