import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertOf, instanceWithAlerts, until } from './alerting.testkit.ts'

test('what comes in, is refused, held back, watched and judged is in the metrics of a running instance', async (t) => {
  const { service } = await instanceWithAlerts(t, [alertOf(1), alertOf(2)], { alertBudgetPerDay: 1 })
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const post = async (path: string, body: unknown): Promise<number> =>
    (await fetch(service.url + path, { method: 'POST', headers, body: JSON.stringify(body) })).status
  const event = { id: 'a', time: Date.now(), identity: { id: 'bot', kind: 'agent' }, action: 'kb.search', resource: { class: 'kb' } }
  assert.equal(
    await post('/v1/events', [event, { ...event, id: 'b', time: Date.now() + 86_400_000 }, { ...event, id: 'c', action: 7 }]),
    202,
  )
  assert.equal(await post('/v1/events', 'nothing'), 422)
  assert.equal((await fetch(`${service.url}/v1/events`, { method: 'POST', body: '{}' })).status, 401)
  assert.equal(await post(`/v1/alerts/${alertOf(1).id}/verdict`, { verdict: 'dismissed' }), 202)
  const stop = new AbortController()
  t.after(() => stop.abort())
  assert.equal((await fetch(`${service.url}/v1/alerts/stream`, { headers, signal: stop.signal })).status, 200)

  const wanted = [
    'plumbline_ingest_events_total{source="events"} 1',
    'plumbline_dead_letters_total{stage="door",code="TIME_FUTURE"} 1',
    'plumbline_dead_letters_total{stage="door",code="FIELD_INVALID"} 1',
    'plumbline_requests_refused_total{code="TOKEN_MISSING_OR_WRONG"} 1',
    'plumbline_events_read_total{kind="event"} 1',
    'plumbline_events_read_total{kind="control"} 1',
    'plumbline_stage_outcomes_total{stage="decode",outcome="divert"} 1',
    'plumbline_stage_outcomes_total{stage="identify",outcome="pass"} 1',
    'plumbline_events_scored_total 1',
    'plumbline_alerts_total{severity="high",delivery="held"} 1',
    'plumbline_alerts_suppressed_total{reason="budget"} 1',
    'plumbline_alerts_suppressed_total{reason="grouped"} 0',
    'plumbline_sessions_overflow_total 0',
    'plumbline_console_viewers 1',
    'plumbline_verdicts_total{verdict="dismissed"} 1',
    'plumbline_identities_resident 1',
  ]
  let missing: readonly string[] = wanted
  await until(async () => {
    const lines = (await (await fetch(`${service.url}/metrics`)).text()).split('\n')
    missing = wanted.filter((line) => !lines.includes(line))
    return missing.length === 0
  }).catch(() => undefined)
  assert.deepEqual(missing, [])
})
