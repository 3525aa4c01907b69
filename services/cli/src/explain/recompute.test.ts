import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalEvent, decodeParsed } from '@plumbline/detector'
import { generate } from '@plumbline/generator'
import { type Alert, type AlertCapsule, DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { Learner } from '../evaluate/learner.ts'
import { recompute } from '@plumbline/detector/replay'

const MASTER_KEY = new Uint8Array(16).fill(7)
const CONFIG = { ...DEFAULT_DETECTION_CONFIG, trainAfterEvents: 3000 }

/** A small company with attacks: every alert with its capsule. */
const play = async () => {
  const learner = new Learner({ config: CONFIG, masterKey: MASTER_KEY, trains: true })
  const alerts = new Map<string, Alert>()
  const capsules: AlertCapsule[] = []
  const step = async () => {
    const flushed = await learner.step()
    for (const alert of flushed.alerts) alerts.set(`${alert.id}/${alert.revision}`, alert)
    capsules.push(...flushed.capsules)
  }
  for (const { event: input } of generate({ seed: 5, days: 8, identities: 20, eventsPerIdentityDay: 60 })) {
    const decoded = decodeParsed(input)
    assert.ok(decoded.ok)
    const { event } = decoded
    learner.instance.append({ tenant: event.tenant, identity: event.identity.id, timeMs: event.time, bytes: canonicalEvent(event) })
    if (learner.instance.due) await step()
  }
  await step()
  return { learner, alerts, capsules }
}

test('every alert of a company can be scored again from its capsule, bit for bit', async () => {
  const { learner, alerts, capsules } = await play()
  assert.ok(capsules.length >= 5, `${capsules.length} capsules`)
  let modelled = 0
  for (const capsule of capsules) {
    const alert = alerts.get(`${capsule.alertId}/${capsule.revision}`)
    assert.ok(alert !== undefined)
    const release = learner.instance.artifactOf(capsule.replay.releaseId)
    if (alert.facts.baseline.modelled) modelled++
    const again = recompute(capsule, {
      tenant: alert.facts.tenant,
      identity: alert.facts.identity.id,
      release,
      policy: undefined,
      config: { ...CONFIG, shards: 1 },
      masterKey: MASTER_KEY,
    })
    assert.deepEqual(again.differences, [], `${alert.family} ${alert.text.headline}`)
    assert.equal(again.identical, true)
  }
  assert.ok(modelled > 0, 'some alerts come from a model')

  const [capsule] = capsules
  assert.ok(capsule !== undefined)
  const context = { tenant: 'default', identity: 'x', release: undefined, policy: undefined, config: CONFIG, masterKey: MASTER_KEY }
  const older = { ...capsule, replay: { ...capsule.replay, detectorVersion: '0.9.0' } }
  assert.throws(() => recompute(older, context), { code: 'REPLAY_VERSION_UNSUPPORTED', message: /made by 0\.9\.0/ })
})
