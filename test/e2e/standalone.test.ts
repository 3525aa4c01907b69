import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { companyPolicy, DAY, generate, type GenerateOptions, HOUR } from '@plumbline/generator'
import { type AlertView, type DemoOptions, type DemoTryAnswer, type EventInput, type IngestAnswer, SCORED_FLAGS } from '@plumbline/schemas'
import { type Instance, startInstance, until } from './instance.testkit.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-e2e-'))
const alertsFile = join(dataDir, 'alerts.ndjson')
const ENV = { PLUMBLINE_TRAIN_AFTER_EVENTS: '4000' }
let up: Instance
/** Accepted by the door for the real tenant, over all starts. */
let accepted = 0

before(async () => {
  // YAML contains JSON.
  writeFileSync(join(dataDir, 'policy.yaml'), JSON.stringify(companyPolicy()))
  up = await startInstance(dataDir, ENV)
})
after(async () => {
  await up.signal('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

const send = async (events: readonly EventInput[], key?: string): Promise<IngestAnswer> => {
  const answer = await fetch(`${up.url}/v1/events`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${up.token}`,
      'content-type': 'application/x-ndjson',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: events.map((event) => JSON.stringify(event)).join('\n'),
  })
  assert.equal(answer.status, 202)
  return (await answer.json()) as IngestAnswer
}

/** Server-sent alerts from now on. */
const listen = async (onAlert: (alert: AlertView) => void): Promise<() => void> => {
  const stop = new AbortController()
  const answer = await fetch(`${up.url}/v1/alerts/stream`, { headers: { authorization: `Bearer ${up.token}` }, signal: stop.signal })
  void (async () => {
    let text = ''
    for await (const chunk of answer.body!) {
      text += Buffer.from(chunk as Uint8Array).toString()
      const messages = text.split('\n\n')
      text = messages.pop() ?? ''
      for (const message of messages)
        if (message.includes('event: alert\n')) onAlert(JSON.parse(/^data: (.*)$/m.exec(message)![1]!) as AlertView)
    }
  })().catch(() => undefined)
  return () => stop.abort()
}

/**
 * Two in the afternoon of the last weekday: an act must be odd for what it is, not for the hour at which the test happens to
 * run. At most three days ago, so that four days of life before it are not late.
 */
const lastAfternoon = (): number => {
  let at = Math.floor(Date.now() / DAY) * DAY + 14 * HOUR
  while (at > Date.now() || [0, 6].includes(new Date(at).getUTCDay())) at -= DAY
  return at
}
const now = lastAfternoon()
/** A company of four days that ends then, whose support agent reads HR records before it ends. */
const company: GenerateOptions = {
  seed: 7,
  startTime: Math.floor(now / HOUR) * HOUR - 4 * DAY,
  days: 4 + 1 / 24,
  identities: 25,
  eventsPerIdentityDay: 130,
  benign: { mess: false },
  twins: false,
  attacks: [{ kind: 'hr_access', spread: 'piece', at: now - 95 * 60_000, size: 5 }],
}
const life: EventInput[] = []
const attack: EventInput[] = []
for (const { event, label } of generate(company)) {
  if (label !== null) attack.push(event)
  else if ((event.time as number) < now - 100 * 60_000) life.push(event)
}
const later = (events: readonly EventInput[], byMs: number, mark: string): EventInput[] =>
  events.map((event) => ({ ...event, id: `${event.id}-${mark}`, time: (event.time as number) + byMs, session: `${event.session}-${mark}` }))

test('the page answers before anything else is up, and the demo shows explained alerts within 60 s', async (t) => {
  const page = await until('the page', 10_000, async () => ((await fetch(up.url)).ok ? true : undefined))
  assert.ok(page)
  const pageMs = performance.now() - up.startedAt
  const first = await until('the first alert of the demo', 240_000, async () => (await up.alerts('tenant=demo'))[0])
  const firstMs = performance.now() - up.startedAt
  t.diagnostic(`page after ${Math.round(pageMs)} ms, first explained alert after ${Math.round(firstMs)} ms`)
  assert.ok(first.text.headline.length > 0 && first.text.normal.length > 0)
  await until('the demo to be ready', 240_000, async () => (await up.get<DemoOptions>('/v1/demo/options')).attacks.length > 0)
  const readyMs = performance.now() - up.startedAt
  t.diagnostic(`demo replayed after ${Math.round(readyMs)} ms`)
  assert.ok(firstMs < 60_000, `${firstMs} ms`)
  const named = (await up.alerts('tenant=demo')).map((alert) => `${alert.family} ${alert.facts.identity.id}`)
  assert.ok(
    named.some((name) => name.startsWith('sensitive_access support-bot')),
    named.join(', '),
  )
  assert.ok(
    named.some((name) => /^(volume|new_destination) research-assistant/.test(name)),
    named.join(', '),
  )
})

test('an act that is tried alerts within 2 s; judged safe and repeated it stays quiet; its twin stays quiet', async (t) => {
  const { attacks } = await up.get<DemoOptions>('/v1/demo/options')
  const { id, agents } = attacks[0]!
  const play = async (benign: boolean): Promise<DemoTryAnswer> => {
    const { status, body } = await up.post<DemoTryAnswer>(
      '/v1/demo/try',
      JSON.stringify({ agent: agents[0], attack: id, size: 10, benign }),
    )
    assert.equal(status, 202)
    return body
  }
  const ofAct = async ({ identity, sessions }: DemoTryAnswer): Promise<AlertView | undefined> =>
    (await up.alerts(`tenant=demo&identity=${identity}`)).find((alert) => sessions.includes(alert.facts.session ?? ''))
  const begun = performance.now()
  const answer = await play(false)
  const alert = await until('the alert of the act', 2000, () => ofAct(answer))
  t.diagnostic(`alert ${Math.round(performance.now() - begun)} ms after the act was played`)
  const verdict = await up.post<{ effect: string }>(`/v1/alerts/${alert.id}/verdict`, JSON.stringify({ verdict: 'safe', author: 'e2e' }))
  assert.equal(verdict.status, 202)
  const again = await play(false)
  const twin = await play(true)
  const flagsOf = async (answer: DemoTryAnswer) => {
    const { events } = await up.get<{ events: { flags: string[] }[] }>(
      `/v1/events?tenant=demo&identity=${answer.identity}&session=${answer.sessions[0]}&limit=200`,
    )
    return events.length > 0 ? events.flatMap(({ flags }) => flags) : undefined
  }
  const repeated = await until('the rows of the repeated act', 5000, () => flagsOf(again))
  // Either the verdict speaks for the event, or what it taught makes the event ordinary.
  assert.ok(!repeated.includes('alerted'))
  await until('the rows of the twin', 5000, () => flagsOf(twin))
  assert.equal(await ofAct(again), undefined)
  assert.equal(await ofAct(twin), undefined)
})

test('real events: stored, learned, alerted on, judged', async (t) => {
  const release = async () => (await up.status()).model.find(({ tenant }) => tenant === 'default')
  const feed = async (to: number, wanted: (release: { releaseId: string; trained: boolean }) => boolean): Promise<void> => {
    const part = life.slice(accepted, to)
    for (let i = 0; i < part.length; i += 1000) accepted += (await send(part.slice(i, i + 1000))).accepted
    await until(`a release after ${to} events`, 30_000, async () => {
      const now = await release()
      return now !== undefined && wanted(now)
    })
  }
  await feed(500, ({ releaseId }) => releaseId === 'default-r1')
  await feed(4000, ({ trained }) => trained)
  await feed(life.length, () => true)
  assert.equal(accepted, life.length)

  const streamed: AlertView[] = []
  const stop = await listen((alert) => streamed.push(alert))
  const begun = performance.now()
  accepted += (await send(attack)).accepted
  const mine = `tenant=default&identity=${attack[0]!.identity.id}`
  const alert = await until('the alert', 2000, async () =>
    (await up.alerts(mine)).find(({ family, facts }) => family === 'sensitive_access' && facts.session === attack[0]!.session),
  )
  t.diagnostic(`alert ${Math.round(performance.now() - begun)} ms after the events were sent`)
  assert.match(alert.text.headline, /HR/)
  await until('the alert on the stream', 2000, async () => streamed.some(({ id }) => id === alert.id))
  const finding = await until('the finding in the file', 2000, async () =>
    readFileSync(alertsFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { class_uid: number; finding_info: { uid: string }; anomaly_analyses: unknown[] })
      .find(({ finding_info }) => finding_info.uid.startsWith(alert.id)),
  )
  assert.equal(finding.class_uid, 2004)
  assert.ok(finding.anomaly_analyses.length > 0)
  assert.ok(!readFileSync(alertsFile, 'utf8').includes('"demo"'), 'the demo never reaches the file')
  stop()

  const store = await up.store()
  await until('the rows', 10_000, async () => {
    const [row] = await store.rows<{ n: number }>(`SELECT count() AS n FROM plumbline.scored_events WHERE tenant = 'default'`)
    return row?.n === accepted
  })
  assert.equal((await up.post(`/v1/alerts/${alert.id}/verdict`, JSON.stringify({ verdict: 'safe', author: 'e2e' }))).status, 202)
  const repeat = later(attack, 75 * 60_000, 'again')
  accepted += (await send(repeat)).accepted
  const flags = await until('the repeated rows', 5000, async () => {
    const rows = await store.rows<{ flags: number }>(`SELECT flags FROM plumbline.scored_events WHERE session = {session:String}`, {
      session: repeat[0]!.session,
    })
    return rows.length === repeat.length ? rows : undefined
  })
  const loud = (await up.alerts(mine)).filter(({ facts }) => facts.session === repeat[0]!.session).map(({ text }) => text.headline)
  assert.deepEqual(loud, [], 'the same act again is quiet')
  assert.equal(flags.filter((row) => (row.flags & SCORED_FLAGS.alerted) !== 0).length, 0, 'kept quiet by the verdict')
  const [said] = await store.rows<{ verdict: string; author: string }>(
    `SELECT verdict, author FROM plumbline.feedback WHERE alert_id = {id:String}`,
    { id: alert.id },
  )
  assert.deepEqual(said, { verdict: 'safe', author: 'e2e' })
  await store.close()
})

test('killed while events come in and started again: nothing lost, nothing doubled, no second demo', async () => {
  const more = later(life.slice(0, 6000), 0, 'more')
  const batches = Array.from({ length: 12 }, (_, i) => more.slice(i * 500, (i + 1) * 500))
  const before = accepted
  const sending = (async () => {
    for (const [i, batch] of batches.entries()) {
      if (i === 6) void up.signal('SIGKILL')
      const answer = await send(batch, `batch-${i}`).catch(() => undefined)
      if (answer === undefined) return i
      accepted += answer.accepted
    }
    return batches.length
  })()
  const from = await sending
  assert.equal((await up.ended).signal, 'SIGKILL')
  up = await startInstance(dataDir, ENV)
  await until('the second start', 20_000, async () => (await fetch(`${up.url}/readyz`)).ok)
  // The answer of this batch was lost: sent again with its key, it enters once whatever became of it.
  for (const [i, batch] of batches.entries()) if (i >= from) accepted += (await send(batch, `batch-${i}`)).accepted
  assert.equal(accepted, before + more.length)
  const store = await up.store()
  await until('all rows', 20_000, async () => {
    const [row] = await store.rows<{ n: number }>(`SELECT count() AS n FROM plumbline.scored_events WHERE tenant = 'default'`)
    return row !== undefined && row.n >= accepted
  })
  const [rows] = await store.rows<{ n: number; positions: number; events: number }>(
    `SELECT count() AS n, uniqExact(shard, offset) AS positions, uniqExact(event_id) AS events FROM plumbline.scored_events WHERE tenant = 'default'`,
  )
  assert.deepEqual(rows, { n: accepted, positions: accepted, events: accepted })
  const [alerts] = await store.rows<{ n: number; revisions: number }>(
    `SELECT count() AS n, uniqExact(id, revision) AS revisions FROM plumbline.alerts`,
  )
  assert.equal(alerts?.n, alerts?.revisions)
  const [releases] = await store.rows<{ n: number; ids: number }>(
    `SELECT count() AS n, uniqExact(tenant, release_id) AS ids FROM plumbline.releases`,
  )
  assert.equal(releases?.n, releases?.ids)
  const status = await up.status()
  assert.equal(status.progress, null, 'the demo is not replayed')
  assert.ok(
    status.model.some(({ tenant, trained }) => tenant === 'default' && trained),
    'the release is found again',
  )
  await store.close()
})

test('the demo goes in one click, the real tenant stays; it stops cleanly', async () => {
  const real = (await up.alerts('tenant=default')).length
  const today = new Date().toISOString().slice(0, 10)
  const deliveredToday = (list: readonly AlertView[]): number =>
    list.filter(({ firstSeen, delivery }) => delivery === 'delivered' && new Date(firstSeen).toISOString().startsWith(today)).length
  assert.equal((await up.status()).alerts, deliveredToday(await up.alerts('')))
  assert.equal(await up.remove('/v1/demo'), 204)
  const store = await up.store()
  const [left] = await store.rows<{ demo: number; real: number }>(
    `SELECT countIf(tenant = 'demo') AS demo, countIf(tenant = 'default') AS real FROM plumbline.scored_events`,
  )
  assert.deepEqual(left, { demo: 0, real: accepted })
  // Log and store are cleared side by side.
  const acts = ['demo: policy', 'service: tenant.erased', 'service: tenant.removed', 'token holder: tenant.remove']
  await until('the removal in the audit log', 5000, async () => {
    const rows = await store.rows<{ act: string }>(
      `SELECT concat(actor, ': ', action) AS act FROM plumbline.audit WHERE tenant = 'demo' AND (action = 'policy' OR action LIKE 'tenant.%') ORDER BY act`,
    )
    return rows.map(({ act }) => act).join() === acts.join()
  })
  assert.equal((await up.alerts('tenant=demo')).length, 0)
  assert.equal((await up.alerts('tenant=default')).length, real)
  await until('the status without the demo', 5000, async () => {
    const { demo, model } = await up.status()
    return !demo && model.length === 1 && model[0]?.tenant === 'default'
  })
  assert.equal((await up.status()).alerts, deliveredToday(await up.alerts('tenant=default')))
  assert.equal((await send(later(life.slice(0, 10), 0, 'after'))).accepted, 10)
  await until('rows after the removal', 5000, async () => {
    const [row] = await store.rows<{ n: number }>(`SELECT count() AS n FROM plumbline.scored_events`)
    return row?.n === accepted + 10
  })
  await store.close()
  const begun = performance.now()
  assert.deepEqual(await up.signal('SIGTERM'), { code: 0, signal: null })
  assert.ok(performance.now() - begun < 15_000)
})
