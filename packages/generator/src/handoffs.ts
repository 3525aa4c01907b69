import type { Provenance } from '@plumbline/schemas'
import type { MadeEvent } from './level.ts'
import { weekday } from './life.ts'
import { DAY, HOUR } from './options.ts'
import { hex32, Rng } from './prng.ts'
import { makeEvent, openSession, type Pin, type Session } from './session.ts'
import { type Tool, tool } from './tools.ts'
import type { Member, World } from './world.ts'

/** A task that one agent gives out to three: one looks outside, one looks inside, one sends what came of it. */
export interface Crew {
  readonly planner: Member
  readonly reader: Member
  readonly analyst: Member
  readonly writer: Member
}

/** What each looks at inside as its daily bread. */
const INSIDE: Readonly<Record<string, string>> = { 'legal-reviewer': 'contract.read', 'hr-assistant': 'hr.read_employee' }
export const READERS = ['research-assistant']
export const ANALYSTS = Object.keys(INSIDE)

export interface Sending {
  readonly destination?: string
  readonly provenance?: Provenance
  /** Times the usual size. */
  readonly size: number
  readonly reads: number
}

/** One under the trace of the task, on behalf of the agent that gave it out. */
const sessionOf = (w: World, member: Member, planner: Member, time: number, rng: Rng): Session => ({
  ...openSession(w, member, time, rng),
  onBehalf: [{ id: planner.id, kind: 'agent' }],
})

/** Runs the task from `start` on; `put` gets each event and whether it is a step of the flow. `pace` is the mean time between two, ms. */
export const runHandoff = (
  w: World,
  { planner, reader, analyst, writer }: Crew,
  { destination, provenance, size, reads }: Sending,
  start: number,
  pace: number,
  rng: Rng,
  put: (event: MadeEvent, isStep: boolean) => void,
): void => {
  const trace = `t-${hex32(rng.u32())}${hex32(rng.u32())}`
  let time = start
  const act = (s: Session, t: Tool, isStep: boolean, pin: Pin = {}): void => {
    put({ ...makeEvent(s, t, Math.round(time), pin), trace }, isStep)
    time += 200 + rng.logNormal(pace, 0.6)
  }
  const own = openSession(w, planner, start, rng)
  act(own, tool('chat'), false)
  const outside = sessionOf(w, reader, planner, time, rng)
  act(outside, tool('web.fetch'), true, { outcome: 'success' })
  act(outside, tool('chat'), false)
  const inside = sessionOf(w, analyst, planner, time, rng)
  for (let n = reads; n > 0; n--) act(inside, tool(INSIDE[analyst.role.name] ?? 'contract.read'), true, { outcome: 'success' })
  const sending = sessionOf(w, writer, planner, time, rng)
  const send = tool('mail.send')
  act(sending, tool('chat'), false)
  act(sending, send, true, {
    outcome: 'success',
    bytesOut: Math.round(send.bytesOut * size),
    ...(destination === undefined ? {} : { destination }),
    ...(provenance === undefined ? {} : { provenance }),
  })
  act(own, tool('chat'), false)
}

const membersOf = (w: World, roles: readonly string[]): readonly Member[] =>
  w.byRole.flatMap((list) => (roles.includes(list[0]?.role.name ?? '') ? list.filter(({ traits }) => !traits.stock) : []))

/** Tasks that agents hand on in the life of a company: a few a working day for each of its writers. Nothing without the option. */
export const handoffs = (w: World, put: (event: MadeEvent) => void): void => {
  const { seed, startTime, endTime } = w.settings
  if (!w.settings.handoffs) return
  const [readers, analysts, writers] = [READERS, ANALYSTS, ['exec-agent', 'sales-copilot']].map((roles) => membersOf(w, roles))
  if (readers === undefined || analysts === undefined || writers === undefined) return
  if (readers.length * analysts.length * writers.length === 0) return
  for (let day = startTime; day < endTime; day += DAY) {
    if (weekday(Math.floor(day / DAY)) >= 5) continue
    for (const [i, writer] of writers.entries()) {
      const rng = new Rng(seed, 7_100 + i, Math.floor(day / DAY))
      for (let n = rng.between(0, 3); n > 0; n--) {
        const crew = {
          planner: writer,
          reader: readers[(i + n) % readers.length]!,
          analyst: analysts[i % analysts.length]!,
          writer: writers[(i + 1) % writers.length]!,
        }
        const sending = { size: rng.logBetween(0.5, 2), reads: rng.between(1, 3) }
        runHandoff(w, crew, sending, day + (8 + 9 * rng.unit()) * HOUR, 20_000, rng, put)
      }
    }
  }
}
