import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { engineProblem } from '@plumbline/adapters/clickhouse'
import { createLogger } from '@plumbline/runtime'
import type { Incident, IncidentPage } from '@plumbline/schemas'
import { loadStandaloneConfig, startStandalone } from '../../services/standalone/src/index.ts'

const problem = engineProblem()
const skip = problem === undefined ? false : `no ClickHouse engine here: ${problem.message}`
const MINUTE = 60_000

const start = async (t: TestContext) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-incidents-'))
  const { config } = loadStandaloneConfig({ env: {} })
  const policyFile = join(dataDir, 'policy.yaml')
  const service = await startStandalone(
    { ...config, httpPort: 0, dataDir, policyFile, demo: false, alertsStdout: false },
    { logger: createLogger({ name: 'test', level: 'silent' }) },
  )
  t.after(async () => {
    await service.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return service
}

test('a flow split over three agents: events in at the door, an incident out of the API', { skip, timeout: 120_000 }, async (t) => {
  const service = await start(t)
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const at = Date.now() - 20 * MINUTE
  const act = (i: number, id: string, more: object) => ({
    id: `e${i}`,
    time: at + i * MINUTE,
    identity: { id, kind: 'agent' },
    rootSession: 'task-1',
    ...more,
  })
  const events = [
    act(0, 'reader', { action: 'web.fetch', resource: { class: 'web', id: 'page/7' } }),
    act(1, 'analyst', { action: 'hr.read', resource: { class: 'hr', id: 'hr/1', sensitivity: 3 } }),
    act(2, 'mailer', { action: 'mail.send', resource: { class: 'mail' }, destination: 'drop.example', destinationProvenance: 'tool' }),
  ]
  const sent = await fetch(`${service.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) })
  assert.equal(sent.status, 202)
  const ask = async (query = ''): Promise<readonly Incident[]> =>
    ((await (await fetch(`${service.url}/v1/incidents${query}`, { headers })).json()) as IncidentPage).incidents ?? []
  const until = async (isDone: (found: readonly Incident[]) => boolean): Promise<readonly Incident[]> => {
    for (let tries = 0; tries < 400; tries++) {
      const found = await ask()
      if (isDone(found)) return found
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error('It never came.')
  }
  const [incident, ...more] = await until((found) => found.length > 0)
  assert.deepEqual(more, [])
  assert.deepEqual([incident?.kind, incident?.cause.value, incident?.severity], ['split_flow', 'task-1', 'high'])
  assert.deepEqual(
    incident?.steps?.map(({ identity }) => identity),
    ['reader', 'analyst', 'mailer'],
  )
  assert.equal((await ask('?kind=shared_source')).length, 0)
  assert.equal((await ask(`?kind=split_flow&severity=high&before=${Date.now()}`)).length, 1)
  assert.equal((await ask('?severity=critical')).length, 0)
  assert.equal((await fetch(`${service.url}/v1/incidents?kind=other`, { headers })).status, 400)
  assert.match(
    await (await fetch(`${service.url}/metrics`)).text(),
    /plumbline_incidents_total\{kind="split_flow",severity="high",revision="first"\} 1/,
  )
})
