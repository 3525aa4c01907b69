import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, demoDay, type GenerateOptions, HOUR } from '@plumbline/generator'
import { Event } from '@plumbline/schemas'
import { actStart, demoOptions, playAct } from './acts.ts'

const NOW = Date.UTC(2026, 10, 24, 9, 20)
const company: GenerateOptions = { ...demoDay(1, NOW), tenant: 'demo' }
const end = (company.startTime ?? 0) + (company.days ?? 0) * DAY
const shiftMs = NOW - 45 * 60_000 - end
const options = demoOptions(company)

test('each act proposes an agent of its own, none of the replayed cases first', () => {
  const first = options.attacks.map(({ agents }) => agents[0])
  assert.equal(new Set(first).size, first.length)
  assert.ok(!first.includes('support-bot-01'), 'read HR records in the replayed days')
})

test('every act on offer, of every size, and its twin give events that a door would take', () => {
  for (const attack of options.attacks) {
    for (const benign of [false, true]) {
      for (const { value: size } of benign ? options.sizes.slice(0, 1) : options.sizes) {
        const played = playAct(company, shiftMs, { agent: attack.agents[0]!, attack: attack.id, size, benign }, NOW, 'n1', () => NOW - HOUR)
        assert.ok(played.events.length > 0, attack.id)
        assert.ok(benign || played.identity === attack.agents[0])
        assert.ok(played.to <= NOW, `${attack.id} ends in the future`)
        for (const event of played.events) assert.ok((Event.parse(event).time as number) <= NOW)
      }
    }
  }
})

test('the same act again is the same but for ids, sessions and times', () => {
  const play = (nonce: string, nowMs: number) =>
    playAct(company, shiftMs, { agent: 'support-bot-02', attack: 'hr_access', size: 10, benign: false }, nowMs, nonce, () => 0)
  const bare = ({ events }: ReturnType<typeof play>) => events.map(({ id: _id, session: _session, time: _time, ...rest }) => rest)
  const [a, b] = [play('n1', NOW), play('n2', NOW + 5000)]
  assert.deepEqual(bare(a), bare(b))
  const ids = new Set([...a.events, ...b.events].map(({ id }) => id))
  assert.equal(ids.size, a.events.length + b.events.length)
})

test('an act leaves room for its repetition, waits for what went before, and never lies in the future', () => {
  const minute = 60_000
  assert.equal(actStart(2 * minute, 0, NOW), NOW - 7 * minute)
  assert.equal(actStart(2 * minute, NOW - 5 * minute, NOW), NOW - 3.5 * minute)
  assert.equal(actStart(2 * minute, NOW - minute, NOW), NOW - 2 * minute)
})

test('what does not fit is refused', () => {
  const play = (agent: string, attack: string) => () =>
    playAct(company, shiftMs, { agent, attack, size: 10, benign: false }, NOW, 'n', () => 0)
  assert.throws(play('support-bot-02', 'nonsense'), { code: 'DEMO_UNKNOWN' })
  assert.throws(play('nobody', 'hr_access'), { code: 'DEMO_UNKNOWN' })
})
