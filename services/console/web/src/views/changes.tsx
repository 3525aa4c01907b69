import type { ChangePage } from '@plumbline/schemas'
import { get, words } from '../api.ts'
import { ChangeList } from '../parts/changes.tsx'
import { Empty, Problem, Waiting, useRead } from '../parts/bits.tsx'
import { filter } from '../state.ts'

/** All that are remembered of a tenant fit into one answer. */
const MOST = 500

export function Changes() {
  const { tenant } = filter.value
  const query = new URLSearchParams({ limit: String(MOST) })
  if (tenant !== '') query.set('tenant', tenant)
  const path = `/v1/changes?${query.toString()}`
  const read = useRead(path, () => get<ChangePage>(path))
  return (
    <article class="detail">
      <a class="back" href="#/">
        ← Alerts
      </a>
      <h2>Announced changes</h2>
      <p class="note">
        What deploys said they would change. In its window and for whom it names, what a change brings is expected instead of alerting.
      </p>
      {read.error !== null && <Problem text={words(read.error)} retry={read.again} />}
      {read.value === null && read.error === null && <Waiting lines={6} />}
      {read.value !== null && read.value.changes.length === 0 && (
        <Empty title="None">Deploy jobs announce with one signed request, the operator with plumbline changes announce.</Empty>
      )}
      <ChangeList changes={read.value?.changes ?? []} withTenant={tenant === ''} />
      {(read.value?.cursor ?? null) !== null && <p class="note">The newest {MOST}. Choose a tenant to see all of it.</p>}
    </article>
  )
}
