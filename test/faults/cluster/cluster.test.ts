import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { NoBroker } from '../../support/kafka/broker.ts'
import { runCampaign } from './campaign.ts'
import { EVERYTHING, ZOMBIES, namesOf } from './faults.ts'
import { differences } from './oracle.ts'
import { type Site, openSite } from './site.ts'

/** Worker processes on a broker of their own: killed, stopped, cut off, and judged by what the events topic alone says. */

const opened = await openSite().catch((error: unknown) => {
  if (error instanceof NoBroker) return `no Kafka: ${error.message}`
  throw error
})
const skip = typeof opened === 'string' ? opened : false
const site = opened as Site
after(() => (skip === false ? site.close() : undefined))

const FAULTS = 60

test('workers are killed, stand still past their session, fail and lose answers at every point of the protocol; the broker dies; they storm: nothing is lost, doubled or wrong', {
  skip,
  timeout: 480_000,
}, async (t) => {
  const { fired, faults, verdict, seconds } = await runCampaign(site, { seed: 4, mix: EVERYTHING })
  for (const name of namesOf(EVERYTHING)) t.diagnostic(`${String(fired.get(name) ?? 0).padStart(3)}  ${name}`)
  t.diagnostic(`${faults} faults in ${seconds} s: ${JSON.stringify(verdict)}`)
  for (const name of namesOf(EVERYTHING)) assert.ok((fired.get(name) ?? 0) > 0, `never came about: ${name}`)
  assert.ok(faults >= FAULTS, `only ${faults} faults`)
  assert.ok(verdict.controls > 0 && verdict.alerts > 0 && verdict.deadLetters > 0 && verdict.slots > 0, 'there was nothing to compare')
  assert.equal(differences(verdict), 0, JSON.stringify(verdict))
})

test('the negative control, one transactional id per worker instead of per shard, is noticed', { skip, timeout: 240_000 }, async (t) => {
  const { fired, faults, verdict, seconds } = await runCampaign(site, { seed: 5, mix: ZOMBIES, broken: true })
  t.diagnostic(`${faults} faults in ${seconds} s: ${[...fired].map(([name, n]) => `${name} ${n}`).join(', ')}`)
  t.diagnostic(`noticed: ${JSON.stringify(verdict)}`)
  assert.ok(faults > 0, 'no fault came about')
  assert.ok(differences(verdict) > 0, 'a broken protocol passed as a sound one')
})
