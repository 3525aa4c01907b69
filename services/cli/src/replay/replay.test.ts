import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { policyHash } from '@plumbline/detector'
import { type Alert, DEFAULT_DETECTION_CONFIG, type DetectionConfig, Policy, type PolicyInput } from '@plumbline/schemas'
import type { Api } from '../instance/api.ts'
import { operatorTarget } from './operator.ts'
import { remoteTarget } from './remote.ts'
import { replay, type ReplayTarget } from './replay.ts'
import { summaryWords } from './summary.ts'
import { throwAwayTarget } from './throw-away.ts'
import { alertWords } from './words.ts'

const dir = mkdtempSync(join(tmpdir(), 'plumbline-replay-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const PROGRESS = { at: () => {}, phase: () => {}, end: () => {} }
const START = Date.UTC(2026, 5, 1)

const event = (i: number, more: object = {}): string =>
  JSON.stringify({
    id: `e${i}`,
    time: START + i * 60_000,
    identity: { id: `bot-${i % 4}`, kind: 'agent' },
    session: `s${Math.floor(i / 40)}-${i % 4}`,
    action: i % 3 === 0 ? 'crm.search' : 'crm.read',
    resource: { id: `account/${(i * 31) % 200}`, class: 'crm' },
    bytesIn: 500 + ((i * 17) % 60),
    ...more,
  })

const file = (name: string, lines: readonly string[]): string => {
  const path = join(dir, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const play = (files: readonly string[], target: ReplayTarget, pace = 0, signal?: AbortSignal) =>
  replay({ files, format: 'native', tenant: 'default', pace, target, progress: PROGRESS, signal })

/** Plays files through a throw-away instance and keeps what it shows. */
const throwAway = async (
  files: readonly string[],
  options: { live?: boolean; budgetPerDay?: number; config?: DetectionConfig; policy?: Policy } = {},
) => {
  const { live = false, budgetPerDay = 20, config = DEFAULT_DETECTION_CONFIG, policy } = options
  const shown: { readonly alert: Alert; readonly first: boolean }[] = []
  const board = { budgetPerDay, live, show: async (alert: Alert, first: boolean) => void shown.push({ alert, first }) }
  const target = throwAwayTarget(config, board, { policy: policy && { policy, hash: policyHash(policy) } })
  const summary = await play(files, target)
  const { outcome } = summary
  assert.ok(outcome !== undefined)
  return { shown, alerts: shown.map(({ alert }) => alert), summary, outcome }
}

test('a throw-away instance alerts, says why in words, and says the same the second time', async () => {
  const usual = Array.from({ length: 2880 }, (_, i) => event(i))
  const theft = event(2880, { action: 'hr.read', resource: { id: 'salaries', class: 'hr', sensitivity: 3 }, session: 'other' })
  const path = file('theft.jsonl', [...usual, 'junk', theft])
  const { alerts, summary, outcome } = await throwAway([path])
  assert.equal(summary.events, 2881)
  assert.deepEqual(summary.codes, { JSON_SYNTAX: 1 })
  assert.equal(outcome.identities, 4)
  const alert = alerts.find((a) => a.facts.resource.class === 'hr')
  assert.ok(alert !== undefined, `${alerts.length} alerts`)
  assert.match(alertWords(alert), /bot-0.*hr/i)
  assert.match(alertWords(alert), /First: /)
  assert.deepEqual((await throwAway([path])).alerts, alerts)
})

/** Four identities that are known, and then each of them reads salaries, many times. */
const usual = Array.from({ length: 2880 }, (_, i) => event(i))
const theft = Array.from({ length: 80 }, (_, i) =>
  event(2880 + i, { action: 'hr.read', resource: { id: `salaries/${i}`, class: 'hr', sensitivity: 3 }, session: 'other' }),
)

test('files in any order give what they give in the order of their events', async () => {
  const half = usual.length / 2
  const parts = [usual.slice(0, half), usual.slice(half), theft].map((part, i) => file(`part-${i}.jsonl`, part))
  const whole = await throwAway([file('whole.jsonl', [...usual, ...theft])])
  const mixed = await throwAway(parts.toReversed())
  assert.ok(whole.alerts.length > 0)
  assert.deepEqual(mixed.alerts, whole.alerts)
  assert.equal(mixed.summary.fromTime, START)
})

test('each alert is shown once, as it stands at the end; live, whenever there is more of it', async () => {
  const path = file('again.jsonl', [...usual, ...theft])
  const { alerts, shown, outcome } = await throwAway([path])
  assert.equal(new Set(alerts.map(({ id }) => id)).size, alerts.length)
  assert.equal(outcome.alerts, alerts.length)
  assert.ok(
    alerts.some(({ count }) => count >= 16),
    alerts.map(({ count }) => count).join(),
  )
  assert.ok(shown.every(({ first }) => first))
  const live = await throwAway([path], { live: true })
  const groups = new Set(live.alerts.map(({ id }) => id)).size
  assert.equal(live.shown.filter(({ first }) => first).length, groups)
  assert.equal(live.outcome.alerts, groups)
  assert.ok(live.shown.length > groups)
})

test('what the budget of a day holds back is counted, not shown', async () => {
  const path = file('budget.jsonl', [...usual, ...theft])
  const all = await throwAway([path], { budgetPerDay: Number.POSITIVE_INFINITY })
  assert.equal(all.outcome.held, 0)
  assert.ok(all.alerts.length > 1, 'more than one group')
  const few = await throwAway([path], { budgetPerDay: 0 })
  // The first critical of each kind passes whatever the budget.
  assert.ok(few.alerts.every(({ critical }) => critical))
  assert.equal(few.outcome.alerts + few.outcome.held, all.outcome.alerts)
  const words = summaryWords({ ...few.summary, outcome: { ...few.outcome, alerts: 1, held: 3 } }, DEFAULT_DETECTION_CONFIG)
  assert.match(words, /\n1 alert: .*; 3 more held back by the budget of 20 a day/)
})

test('without an alert the highest scored are told in words, why nothing alerted, and what helps', async () => {
  const { summary, outcome } = await throwAway([file('calm.jsonl', usual.slice(0, 240))])
  assert.equal(outcome.alerts, 0)
  assert.equal(outcome.highest.length, 5)
  const kinds = outcome.highest.map(({ identity, action }) => `${identity} ${action}`)
  assert.equal(new Set(kinds).size, 5)
  const scores = outcome.highest.map(({ score }) => score)
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  )
  const words = summaryWords(summary, DEFAULT_DETECTION_CONFIG)
  assert.match(words, /\n0 alerts\. Unless a rule speaks, an event alerts from a score of 66 on, which one normal event in 100,000 reaches/)
  assert.match(words, /\n +\d+ {2}2026-06-01 \d\d:\d\d UTC {2}bot-\d used crm\.(read|search) on crm \(account\/\d+\): \w/)
  assert.match(words, /All 4 identities have been known for 4 hours or less/)
  assert.match(words, /There is no model yet: the first is trained after 20,000 events/)
  assert.match(words, /--train-after 100 trains a model on the first 100 of these/)
  const modelled = { ...summary, outcome: { ...outcome, knownForMs: 40 * 86_400_000, releases: [{ id: 'r1', withModel: true }] } }
  assert.doesNotMatch(summaryWords(modelled, DEFAULT_DETECTION_CONFIG), /no model|train-after|known for/)
})

test('a replay that is asked to stop ends with what it has, and leaves nothing behind', async () => {
  const work = mkdtempSync(join(dir, 'work-'))
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = work
  try {
    const stop = new AbortController()
    let taken = 0
    const target: ReplayTarget = {
      event: async () => {
        if (++taken === 10) stop.abort()
      },
      finish: async () => ({ codes: {} }),
    }
    const { events } = await play([file('long.jsonl', usual)], target, 0, stop.signal)
    assert.equal(events, 10)
    assert.deepEqual(readdirSync(work), [])
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
})

test('a policy can be tried on history: what it forbids and what it keeps quiet shows', async () => {
  const lines = Array.from({ length: 400 }, (_, i) => event(i))
  const path = file('policy.jsonl', lines)
  const families = async (input: PolicyInput) => {
    const policy = Policy.parse(input)
    const { alerts } = await throwAway([path], { policy })
    return alerts.map((a) => [a.family, a.facts.identity.id, a.replay.policyHash === policyHash(policy)])
  }
  const rules: PolicyInput['rules'] = [{ id: 'r', identities: 'bot-1', effect: 'deny', classes: ['crm'] }]
  const found = await families({ rules })
  assert.ok(found.length > 0)
  assert.deepEqual(new Set(found.map(String)), new Set(['policy,bot-1,true']))
  const whole = { from: new Date(START).toISOString(), to: new Date(START + 86_400_000).toISOString() }
  assert.deepEqual(await families({ rules, maintenance: [{ name: 'move', ...whole }] }), [])
})

test('a throw-away replay gives the same digest of its outbox, however long its events took', async (t) => {
  const lines = Array.from({ length: 1800 }, (_, i) => event(i))
  const config = { ...DEFAULT_DETECTION_CONFIG, trainAfterEvents: 1000 }
  const once = async (path: string, live = false) => (await throwAway([path], { config, live })).outcome
  const fast = await once(file('digest.jsonl', lines))
  assert.match(fast.outboxSha256, /^[0-9a-f]{64}$/)
  assert.ok(fast.releases.some((r) => r.withModel))
  // Every look at the clock is a second after the last: alerts are shown, and rows made, at every event.
  let now = performance.now()
  t.mock.method(performance, 'now', () => (now += 1000))
  const slow = await once(file('digest.jsonl', lines), true)
  assert.deepEqual([slow.outboxSha256, slow.releases], [fast.outboxSha256, fast.releases])
  const other = await once(file('other.jsonl', [...lines.slice(0, -1), event(1799, { bytesIn: 501 })]))
  assert.notEqual(other.outboxSha256, fast.outboxSha256)
})

test('a replay into a running instance that is asked to stop sends what it has, and does not say that it ended', async () => {
  const path = file('stopped.jsonl', usual.slice(0, 20))
  const askedOf = async (stopAfter: number): Promise<readonly string[]> => {
    const asked: string[] = []
    const operator: Api = {
      url: 'http://instance',
      get: () => Promise.reject(new Error('nothing is asked for')),
      post: async (to: string) => {
        asked.push(to)
        return to.endsWith('/feed') ? { state: 'taken', arrival: 0, accepted: 1, rejected: 0, errors: [] } : { done: true, learning: false }
      },
    }
    const stop = new AbortController()
    const target = operatorTarget(operator, 'default', PROGRESS)
    let taken = 0
    const event: ReplayTarget['event'] = async (e) => {
      await target.event(e)
      if (++taken === stopAfter) stop.abort()
    }
    await play([path], { ...target, event }, 0, stop.signal)
    return asked
  }
  assert.deepEqual(await askedOf(10), ['/v1/operator/feed'])
  assert.deepEqual(await askedOf(99), ['/v1/operator/feed', '/v1/operator/settle'])
})

test('paced replay keeps the time between events', async () => {
  const times: number[] = []
  const target: ReplayTarget = {
    event: async () => void times.push(performance.now()),
    finish: async () => ({ codes: {} }),
  }
  // Three minutes at 1,200 times the speed: 150 ms.
  await play([file('paced.jsonl', [event(0), event(1), event(2), event(3)])], target, 1 / 1200)
  const took = (times.at(-1) ?? 0) - (times[0] ?? 0)
  assert.ok(took >= 145, `${took} ms`)
})

const door = (
  answer: (n: number) => { status: number; body: object } | undefined,
): Promise<{ server: Server; url: string; bodies: string[]; keys: string[]; tokens: string[] }> =>
  new Promise((resolve) => {
    const seen = { bodies: [] as string[], keys: [] as string[], tokens: [] as string[] }
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen.bodies.push(Buffer.concat(chunks).toString())
        seen.keys.push(String(request.headers['idempotency-key']))
        seen.tokens.push(String(request.headers.authorization))
        const given = answer(seen.bodies.length)
        if (given === undefined) request.socket.destroy()
        else response.writeHead(given.status, { 'content-type': 'application/json' }).end(JSON.stringify(given.body))
      })
    })
    server.listen(0, '127.0.0.1', () => resolve({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...seen }))
  })

const accepted = (n: number) => ({ status: 202, body: { accepted: n, rejected: 0, errors: [] } })

test('into a running instance: batches, a busy answer and a lost answer are repeated under the same key', async () => {
  const { server, url, bodies, keys, tokens } = await door((n) =>
    n === 1 ? { status: 503, body: {} } : n === 2 ? undefined : accepted(500),
  )
  try {
    const lines = Array.from({ length: 600 }, (_, i) => event(i))
    const summary = await play([file('remote.jsonl', lines)], remoteTarget(`${url}/`, 'secret'))
    assert.equal(summary.events, 600)
    assert.equal(summary.outcome, undefined)
    assert.equal(new Set(keys.slice(0, 3)).size, 1)
    assert.equal(new Set(bodies.slice(0, 3)).size, 1)
    const sent = [...new Set(bodies)].join('').trimEnd().split('\n')
    assert.equal(sent.length, 600)
    assert.deepEqual([...new Set(tokens)], ['Bearer secret'])
  } finally {
    server.close()
  }
})

test('a refusal that repeating cannot mend ends the replay', async () => {
  const { server, url, bodies } = await door(() => ({ status: 401, body: { code: 'UNAUTHENTICATED' } }))
  try {
    await assert.rejects(play([file('refused.jsonl', [event(0)])], remoteTarget(url, undefined)), {
      code: 'INSTANCE_REFUSED',
      retryable: false,
    })
    assert.equal(bodies.length, 1)
  } finally {
    server.close()
  }
})
