import type { Provenance } from '@plumbline/schemas'
import { freshDestination } from '../destinations.ts'
import { ANALYSTS, READERS, runHandoff } from '../handoffs.ts'
import type { Case } from './case.ts'
import { WRITERS } from './victims.ts'

/** A task handed on to three agents, in the labelled days, to a destination that its writer never used. */
const handOn = (c: Case, provenance: Provenance, reads: number): void => {
  const isSeen = (m: { readonly traits: { readonly stock: boolean } }): boolean => !m.traits.stock
  const writer = c.member(isSeen)
  const planner = c.other(WRITERS, (m) => m !== writer && isSeen(m)) ?? writer
  const [reader, analyst] = [c.other(READERS, isSeen), c.other(ANALYSTS, isSeen)]
  if (writer === null || planner === null || reader === null || analyst === null) return
  const sending = { destination: freshDestination('contact', c.rng), provenance, size: c.spec.size, reads }
  const pace = c.by(5, 10, 30, 120, 400) * 1_000
  runHandoff(c.world, { planner, reader, analyst, writer }, sending, c.at(writer, 9, 16), pace, c.rng, (event, isStep) =>
    c.sink(isStep)(event),
  )
}

/** What was read outside by one sends what another read inside through a third: each does what it does every day. */
export const splitFlow = (c: Case): void => handOn(c, 'tool', c.by(8, 5, 3, 2, 1))

/** Twin: the same task with a recipient that the user named. */
export const splitFlowTwin = (c: Case): void => handOn(c, 'user', c.rng.between(1, 3))
