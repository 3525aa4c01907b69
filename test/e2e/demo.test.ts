import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { AlertView, DemoOptions, DemoTryAnswer, EventPage } from '@plumbline/schemas'
import { type Instance, startInstance, until } from './instance.testkit.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-demo-'))
let up: Instance
let options: DemoOptions

before(async () => {
  up = await startInstance(dataDir)
  options = await until('the demo', 300_000, () => up.get<DemoOptions>('/v1/demo/options'))
})
after(async () => {
  await up.signal('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

const play = async ({ id, agents, size }: DemoOptions['attacks'][number], benign: boolean): Promise<DemoTryAnswer> => {
  const request = { agent: agents[0], attack: id, size, benign }
  const { status, body } = await up.post<DemoTryAnswer>('/v1/demo/try', JSON.stringify(request))
  assert.equal(status, 202, id)
  return body
}

const alertsOf = ({ identity }: DemoTryAnswer): Promise<readonly AlertView[]> =>
  up.alerts(`tenant=demo&identity=${encodeURIComponent(identity)}`)

/** Its newest events, once all that were sent are stored. */
const storedOf = (answer: DemoTryAnswer) =>
  until(`the rows of ${answer.identity}`, 10_000, async () => {
    const query = new URLSearchParams({ tenant: 'demo', identity: answer.identity, limit: '500' })
    const { events } = await up.get<EventPage>(`/v1/events?${query.toString()}`)
    const mine = events.filter(({ eventId }) => eventId.endsWith(answer.mark))
    return mine.length === answer.events && mine
  })

test('every act on offer, as it is proposed, alerts within 2 s, and its twin stays quiet', async (t) => {
  for (const act of options.attacks) {
    const seen = new Map((await up.alerts('tenant=demo')).map(({ id, revision }) => [id, revision]))
    const begun = performance.now()
    const attack = await play(act, false)
    const alert = await until(`the alert of ${act.id}`, 2000, async () =>
      (await alertsOf(attack)).find((alert) => (seen.get(alert.id) ?? 0) < alert.revision),
    )
    t.diagnostic(`${act.id}: ${Math.round(performance.now() - begun)} ms, ${alert.text.headline}`)
    const twin = await play(act, true)
    const events = await storedOf(twin)
    t.diagnostic(`its twin by ${twin.identity}: at most ${Math.max(...events.map(({ score }) => score)).toFixed(0)} of 100`)
    assert.deepEqual(
      events.filter(({ flags }) => flags.includes('alerted')),
      [],
      `the twin of ${act.id}`,
    )
  }
})
