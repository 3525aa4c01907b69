import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlumblineError } from '@plumbline/schemas'
import { createLogger, createMetrics, METRICS, metricsDocs } from './index.ts'

test('log lines are JSON, with secrets hidden by name wherever requests keep them', () => {
  const lines: string[] = []
  const log = createLogger({ name: 'gateway', level: 'debug', destination: { write: (line: string) => void lines.push(line) } })
  log.info({ token: 'hunter2', config: { password: 'hunter2' }, req: { headers: { authorization: 'Bearer hunter2' } } }, 'hello\nworld')
  log.error({ err: new PlumblineError('LOG_FULL', 'disk is full') }, 'failed')
  assert.equal(lines.length, 2)
  assert.ok(!lines.join('').includes('hunter2'))
  const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.equal(first?.['msg'], 'hello\nworld')
  assert.equal(first?.['level'], 'info')
  assert.equal((second?.['err'] as { code: string }).code, 'LOG_FULL')
})

test('every declared metric exists once, is named and documented alike, and counts', async () => {
  const metrics = createMetrics()
  metrics.plumbline_ingest_rejected_total.inc({ code: 'JSON_SYNTAX' }, 2)
  metrics.plumbline_commit_seconds.observe(0.01)
  metrics.plumbline_lag_events.set(3)
  const text = await metrics.registry.metrics()
  assert.match(text, /plumbline_ingest_rejected_total\{code="JSON_SYNTAX"\} 2/)
  for (const [name, d] of Object.entries(METRICS)) {
    assert.match(name, /^plumbline_[a-z_]+$/)
    assert.equal(name.endsWith('_total'), d.kind === 'counter', name)
    assert.ok(text.includes(`# TYPE ${name} ${d.kind}`), name)
    assert.ok(metricsDocs().includes(`\`${name}\``))
  }
  assert.ok(!(await createMetrics().registry.metrics()).includes('code="JSON_SYNTAX"'), 'registries are apart')
})
