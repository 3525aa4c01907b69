import type { BlindSpotAnswer } from '@plumbline/schemas'
import { useState } from 'preact/hooks'
import { get, words } from '../api.ts'
import { Problem, Time, Waiting, useRead } from './bits.tsx'

type Measured = NonNullable<BlindSpotAnswer['measured']>

const pathOf = (tenant: string, identity: string, measure: boolean): string =>
  `/v1/blind-spots?${new URLSearchParams({ tenant, identity, ...(measure && { measure: 'true' }) }).toString()}`

/** The marker is for the eye; the words say it too. */
const stateOf = ({ alertsFrom, skipped }: Measured['spots'][number]): string =>
  skipped !== null ? 'spot-none' : alertsFrom === null ? 'spot-blind' : 'spot-seen'

const List = ({ measured }: { measured: Measured }) => (
  <>
    <ul class="plain spots">
      {measured.spots.map((spot) => (
        <li key={spot.kind} class={stateOf(spot)}>
          {spot.text}
        </li>
      ))}
    </ul>
    <p class="note">
      Tried on a copy of its baseline <Time ms={measured.measuredAt} />, under release {measured.releaseId}. Amounts are those of one hour.
    </p>
  </>
)

/** From how much on it would be noticed, and what would not. */
export function BlindSpotList({ tenant, id }: { tenant: string; id: string }) {
  const path = pathOf(tenant, id, false)
  const read = useRead(path, () => get<BlindSpotAnswer>(path))
  const [measuring, setMeasuring] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const measure = async () => {
    setMeasuring(true)
    setError(null)
    try {
      await get<BlindSpotAnswer>(pathOf(tenant, id, true))
      read.again()
    } catch (problem) {
      setError(problem)
    }
    setMeasuring(false)
  }
  if (read.value === null) return read.error === null ? <Waiting lines={4} /> : <Problem text={words(read.error)} retry={read.again} />
  const { measured } = read.value
  return (
    <>
      {measured === null ? (
        <p class="note">Not tried yet. The most recently active identities come first.</p>
      ) : (
        <List measured={measured} />
      )}
      {error !== null && <Problem text={words(error)} />}
      <button type="button" class="small" disabled={measuring} onClick={() => void measure()}>
        {measuring ? 'Measuring…' : 'Measure now'}
      </button>
    </>
  )
}
