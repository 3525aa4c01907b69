import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { parser } from '@prometheus-io/lezer-promql'
import { METRICS, type MetricDeclaration, createMetrics } from '@plumbline/runtime'
import { parse } from 'yaml'
import { ROOT, compose, read } from './compose.ts'

/** Dashboard and rules ask for metrics that the processes really have, with labels those really carry. */

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}
interface Dashboard {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
}

const { groups } = parse(read('deploy/prometheus/rules.yml')) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(read('deploy/grafana/dashboards/plumbline.json')) as Dashboard
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const prometheus = parse(read('deploy/prometheus/prometheus.yml')) as {
  readonly scrape_configs: readonly {
    readonly job_name: string
    readonly static_configs?: readonly { targets: string[] }[]
    readonly dns_sd_configs?: readonly { names: string[]; port: number }[]
  }[]
}

/** What a scrape of one process can hold: series names, and the labels of each. */
const scraped = async (): Promise<Map<string, Set<string>>> => {
  const { registry } = createMetrics({ process: true })
  const found = new Map<string, Set<string>>([['up', new Set()]])
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    const labels = new Set((METRICS as Record<string, MetricDeclaration>)[name]?.labels ?? [])
    const kinds = String(type) === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    for (const kind of kinds) found.set(name + kind, kind === '_bucket' ? new Set([...labels, 'le']) : labels)
  }
  return found
}

const JOBS = ['plumbline-front', 'plumbline-worker', 'plumbline-recorder']
const OF_TARGETS = ['job', 'instance']
const SELECTOR = /\b((?:up|plumbline_\w+|process_\w+|nodejs_\w+))(?:\{([^}]*)\})?/g

const check = (series: Map<string, Set<string>>, expr: string, where: string): void => {
  const used = [...expr.matchAll(SELECTOR)]
  assert.ok(used.length > 0, `${where} asks for nothing`)
  for (const [, name = '', selector = ''] of used) {
    const labels = series.get(name)
    assert.ok(labels, `${where}: no process has ${name}`)
    for (const [, label = '', value = ''] of selector.matchAll(/(\w+)=~?"([^"]*)"/g)) {
      assert.ok(labels.has(label) || OF_TARGETS.includes(label), `${where}: ${name} has no label ${label}`)
      if (label === 'job') assert.ok(value === 'plumbline-.*' || JOBS.includes(value), `${where}: no job ${value}`)
    }
  }
  const grouped = [...expr.matchAll(/\b(?:by|on) ?\(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(',').map((label) => label.trim()))
  const known = new Set(used.flatMap(([, name = '']) => [...(series.get(name) ?? [])]))
  for (const label of grouped) assert.ok(label === '' || known.has(label) || OF_TARGETS.includes(label), `${where}: grouped by ${label}`)
  parser.parse(expr).iterate({
    enter: ({ type, from }) => assert.ok(!type.isError, `${where}: no PromQL at ${from}: ${expr.slice(from, from + 20)}`),
  })
}

test('every rule asks for metrics that exist, says how bad it is and what it means', async () => {
  const series = await scraped()
  assert.ok(rules.length > 10)
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, expr, labels, annotations } of rules) {
    check(series, expr, alert)
    assert.match(alert, /^Plumbline[A-Z]/)
    assert.ok(['critical', 'warning', 'info'].includes(labels['severity'] ?? ''), alert)
    assert.ok((annotations['summary'] ?? '').length > 10 && (annotations['description'] ?? '').length > 20, alert)
  }
})

test('every panel asks for metrics that exist, has words, and lies beside the others', async () => {
  const series = await scraped()
  const taken = new Map<string, string>()
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  for (const panel of panels) {
    assert.ok((panel.targets ?? []).length > 0, panel.title)
    assert.equal(panel.datasource?.uid, '${datasource}')
    for (const { expr } of panel.targets ?? []) check(series, expr.replaceAll('$__rate_interval', '1m'), panel.title)
    const { x, y, w, h } = panel.gridPos
    assert.ok(x + w <= 24, panel.title)
    for (let i = x; i < x + w; i++)
      for (let j = y; j < y + h; j++) {
        assert.equal(taken.get(`${i},${j}`), undefined, `${panel.title} lies over ${taken.get(`${i},${j}`)}`)
        taken.set(`${i},${j}`, panel.title)
      }
  }
  assert.deepEqual(
    dashboard.templating.list.map(({ name, type }) => [name, type]),
    [['datasource', 'datasource']],
  )
})

test('what the issue asks to see is on the dashboard', () => {
  const exprs = panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []).join('\n')
  for (const metric of [
    'plumbline_lag_events',
    'plumbline_recorder_lag_rows',
    'plumbline_ingest_events_total',
    'plumbline_events_scored_total',
    'plumbline_recorder_rows_total',
    'plumbline_commit_seconds_bucket',
    'plumbline_ingest_seconds_bucket',
    'plumbline_alerts_total',
    'plumbline_dead_letters_total',
    'plumbline_identities_resident',
    'plumbline_restore_seconds_bucket',
  ])
    assert.ok(exprs.includes(metric), metric)
})

test('a metric that is not there is found', async () => {
  const series = await scraped()
  assert.throws(() => check(series, 'rate(plumbline_scored_total[5m])', 'x'), /no process has plumbline_scored_total/)
  assert.throws(() => check(series, 'rate(plumbline_alerts_total{tenant="a"}[5m])', 'x'), /no label tenant/)
  assert.throws(() => check(series, 'sum by (tenant) (plumbline_alerts_total)', 'x'), /grouped by tenant/)
  assert.throws(() => check(series, 'up{job="worker"}', 'x'), /no job worker/)
  assert.throws(() => check(series, 'sum(rate(plumbline_alerts_total[5m])) > ', 'x'), /no PromQL at/)
  assert.throws(() => check(series, 'rate(plumbline_alerts_total[5m)', 'x'), /no PromQL at/)
})

test('Prometheus finds every process of the compose file by its name and port', () => {
  const { services } = compose()
  assert.deepEqual(prometheus.scrape_configs.map(({ job_name }) => job_name).sort(), [...JOBS].sort())
  for (const { job_name, static_configs, dns_sd_configs } of prometheus.scrape_configs) {
    const [host = '', port = ''] = static_configs?.[0]?.targets[0]?.split(':') ?? [
      dns_sd_configs?.[0]?.names[0],
      String(dns_sd_configs?.[0]?.port),
    ]
    assert.equal(`plumbline-${host}`, job_name)
    const health = services[host]?.healthcheck?.test?.at(-1) ?? ''
    assert.equal(new URL(health).port, port, job_name)
  }
  assert.ok(
    services['front']?.environment?.['PLUMBLINE_ALLOWED_HOSTS']?.split(',').includes('front'),
    'the front takes the name it is scraped by',
  )
})

test('promtool takes the rules, where it is here', (t) => {
  const { status } = spawnSync('promtool', ['--version'])
  if (status !== 0) return t.skip('no promtool on this machine')
  const { status: valid, stderr } = spawnSync('promtool', ['check', 'rules', join(ROOT, 'deploy/prometheus/rules.yml')], {
    encoding: 'utf8',
  })
  assert.equal(valid, 0, stderr)
})
