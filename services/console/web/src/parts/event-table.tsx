import type { EventView } from '@plumbline/schemas'
import { bytes } from '../format.ts'
import { Name, Time } from './bits.tsx'

const FLAG_WORDS: Partial<Record<EventView['flags'][number], string>> = {
  late: 'arrived late',
  duplicate: 'repeat',
  excepted: 'covered by a verdict or exception',
  announced: 'expected of an announced change',
  withheld: 'not learned',
  alerted: 'reported',
  newIdentity: 'first seen',
}

function Row({ event }: { event: EventView }) {
  // What an announced change explains needs no second word for being quiet.
  const told = event.flags.includes('announced') ? event.flags.filter((flag) => flag !== 'excepted') : event.flags
  const flags = told.map((flag) => FLAG_WORDS[flag]).filter((word) => word !== undefined)
  return (
    <tr>
      <td>
        <Time ms={event.time} />
      </td>
      <td>
        <Name>{event.action}</Name>
        {event.outcome !== 'success' && <span class="mark">{event.outcome}</span>}
      </td>
      <td>
        <Name>{event.resource === '' ? event.resourceClass : `${event.resourceClass} · ${event.resource}`}</Name>
      </td>
      <td>{event.destination === '' ? '–' : <Name>{event.destination}</Name>}</td>
      <td class="number">{event.bytesIn + event.bytesOut === 0 ? '–' : `${bytes(event.bytesIn)} / ${bytes(event.bytesOut)}`}</td>
      <td class="number">
        {Math.round(event.score)}
        {flags.length > 0 && <span class="note"> {flags.join(', ')}</span>}
      </td>
    </tr>
  )
}

export function EventTable({ events }: { events: readonly EventView[] }) {
  if (events.length === 0) return <p class="note">Still on the way into the store.</p>
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label="Events">
      <table class="events">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Did</th>
            <th scope="col">To what</th>
            <th scope="col">Data went to</th>
            <th scope="col" class="number">
              Read / sent
            </th>
            <th scope="col" class="number">
              Unusual, of 100
            </th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <Row key={`${event.shard}/${event.offset}`} event={event} />
          ))}
        </tbody>
      </table>
    </div>
  )
}
