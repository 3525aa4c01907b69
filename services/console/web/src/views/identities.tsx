import type { IdentityPage } from '@plumbline/schemas'
import { useEffect, useState } from 'preact/hooks'
import { get, words } from '../api.ts'
import { amount, kindWords, maturityWords } from '../format.ts'
import { Empty, Name, Problem, Time, Waiting, useRead } from '../parts/bits.tsx'
import { identityLink } from '../route.ts'
import { filter } from '../state.ts'

export function Identities() {
  const [text, setText] = useState('')
  const [search, setSearch] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSearch(text.trim()), 250)
    return () => clearTimeout(timer)
  }, [text])
  const query = new URLSearchParams({ limit: '200' })
  if (search !== '') query.set('search', search)
  if (filter.value.tenant !== '') query.set('tenant', filter.value.tenant)
  const path = `/v1/identities?${query.toString()}`
  const read = useRead(path, () => get<IdentityPage>(path))
  return (
    <article class="detail">
      <a class="back" href="#/">
        ← Alerts
      </a>
      <h2>Identities</h2>
      <label>
        <span class="visually-hidden">Search identities</span>
        <input type="search" placeholder="Search" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      {read.error !== null && <Problem text={words(read.error)} retry={read.again} />}
      {read.value === null && read.error === null && <Waiting lines={8} />}
      {read.value !== null && read.value.identities.length === 0 && (
        <Empty title="None yet">They show here once their events are in the store.</Empty>
      )}
      {read.value !== null && read.value.identities.length > 0 && (
        <div class="scroll-x" tabIndex={0} role="region" aria-label="Identities">
          <table class="events">
            <thead>
              <tr>
                <th scope="col">Identity</th>
                <th scope="col">Kind</th>
                <th scope="col">Tenant</th>
                <th scope="col">Last seen</th>
                <th scope="col" class="number">
                  Events
                </th>
                <th scope="col">Baseline</th>
                <th scope="col" class="number">
                  Alerts
                </th>
              </tr>
            </thead>
            <tbody>
              {read.value.identities.map((entry) => (
                <tr key={`${entry.tenant} ${entry.identity}`}>
                  <td>
                    <a href={identityLink(entry.tenant, entry.identity)}>
                      <Name>{entry.identity}</Name>
                    </a>
                  </td>
                  <td>{kindWords(entry.kind)}</td>
                  <td>{entry.tenant}</td>
                  <td>
                    <Time ms={entry.lastSeen} />
                  </td>
                  <td class="number">{amount(entry.events)}</td>
                  <td>{maturityWords(entry.maturity)}</td>
                  <td class="number">{entry.alerts}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </article>
  )
}
