import type { DeadLetterPage } from '@plumbline/schemas'
import { get, words } from '../api.ts'
import { Empty, Problem, Time, Waiting, useRead } from '../parts/bits.tsx'
import { filter, status } from '../state.ts'

export function DeadLetters() {
  const query = new URLSearchParams({ limit: '100' })
  if (filter.value.tenant !== '') query.set('tenant', filter.value.tenant)
  const path = `/v1/dead-letters?${query.toString()}`
  const read = useRead(`${path} ${status.value?.deadLetters ?? 0}`, () => get<DeadLetterPage>(path))
  return (
    <article class="detail">
      <a class="back" href="#/">
        ← Alerts
      </a>
      <h2>Refused events</h2>
      <p class="note">
        Events that could not be read. Nothing is dropped silently: each is kept with its reason and what the sender can do.
      </p>
      {read.error !== null && <Problem text={words(read.error)} retry={read.again} />}
      {read.value === null && read.error === null && <Waiting lines={6} />}
      {read.value !== null && read.value.deadLetters.length === 0 && <Empty title="None">Every event so far could be read.</Empty>}
      <ul class="plain letters">
        {(read.value?.deadLetters ?? []).map((letter) => (
          <li key={`${letter.topic}/${letter.shard}/${letter.offset}/${letter.ingestTime}/${letter.field}`}>
            <p>
              <span class="mark">{letter.code}</span> <Time ms={letter.ingestTime} /> tenant {letter.tenant}
              {letter.field !== '' && (
                <>
                  {' '}
                  · <bdi>{letter.field}</bdi>
                </>
              )}
            </p>
            <p>
              <bdi>{letter.message}</bdi>
            </p>
            {letter.remedy !== letter.message && <p class="note">{letter.remedy}</p>}
            <pre class="payload">
              <bdi>{letter.payloadStart}</bdi>
            </pre>
          </li>
        ))}
      </ul>
    </article>
  )
}
