import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { findHelm } from '../support/helm.ts'
import { ROOT, read } from './compose.ts'
import { type Manifest, problemsOf } from './kubernetes.ts'
import { PROCESSES } from './processes.ts'

const CHART = join(ROOT, 'deploy', 'helm', 'plumbline')
const CASES = readdirSync(join(CHART, 'ci'))
const { helm, skip } = findHelm()

interface Container {
  readonly name: string
  readonly image: string
  readonly args: readonly string[]
  readonly env: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly secretKeyRef: { name: string; key: string } }
  }[]
  readonly securityContext: Record<string, unknown>
  readonly resources: { readonly requests?: Record<string, string>; readonly limits?: Record<string, string> }
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly [probe: string]: unknown
}
interface Pod {
  readonly metadata: { readonly labels: Record<string, string> }
  readonly spec: {
    readonly containers: readonly Container[]
    readonly volumes: readonly { readonly name: string; readonly secret?: { readonly defaultMode: number } }[]
    readonly securityContext: Record<string, unknown>
    readonly automountServiceAccountToken: boolean
    readonly hostNetwork?: boolean
  }
}

const run = (args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(helm, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
const template = (name: string, ...more: string[]): ReturnType<typeof run> =>
  run(['template', 'plumbline', CHART, '-f', join(CHART, 'ci', name), ...more])

const rendered = (name: string, ...more: string[]): Manifest[] => {
  const { status, stdout, stderr } = template(name, ...more)
  assert.equal(status, 0, stderr)
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null)
}

const podsOf = (manifests: readonly Manifest[]): { readonly owner: Manifest; readonly pod: Pod; readonly container: Container }[] =>
  manifests
    .filter(({ spec }) => spec !== undefined && 'template' in spec)
    .map((owner) => {
      const pod = owner.spec?.['template'] as Pod
      return { owner, pod, container: pod.spec.containers[0]! }
    })

/** Whether a selector picks these labels. */
const picks = (selector: unknown, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries((selector as { matchLabels: Record<string, string> }).matchLabels).every(([name, value]) => labels[name] === value)

/** A value for each secret, as a process could find it. */
const secretValue = (name: string): string =>
  name.endsWith('_URL')
    ? name.startsWith('CLICKHOUSE')
      ? 'http://user:password@clickhouse:8123/plumbline'
      : 'https://hooks.example.com/x'
    : 'a-secret-of-some-length'

describe('the Helm chart', { skip }, () => {
  test('passes lint, warnings included, with each set of values', () => {
    assert.ok(CASES.length >= 3)
    for (const name of CASES) {
      const { status, stdout, stderr } = run(['lint', CHART, '--strict', '-f', join(CHART, 'ci', name)])
      assert.equal(status, 0, stdout + stderr)
    }
  })

  for (const name of CASES)
    test(`${name}: Kubernetes knows every kind and field of what comes out`, async () => {
      const manifests = rendered(name)
      assert.ok(manifests.length > 10)
      for (const manifest of manifests) assert.deepEqual(await problemsOf(manifest), [], `${manifest.kind} ${manifest.metadata.name}`)
      const broken = { ...manifests.find(({ kind }) => kind === 'StatefulSet')!, spec: { replicas: '1', replica: 2 } }
      assert.ok(
        (await problemsOf(broken)).some((problem) => problem.includes('.spec.replica is not known')),
        'a mistake is found',
      )
    })

  for (const name of CASES)
    test(`${name}: no process has more rights than it needs, and each has limits and probes`, () => {
      for (const { owner, pod, container } of podsOf(rendered(name))) {
        const { allowPrivilegeEscalation, privileged, readOnlyRootFilesystem, runAsNonRoot, capabilities } = container.securityContext
        assert.deepEqual(
          { allowPrivilegeEscalation, privileged, readOnlyRootFilesystem, runAsNonRoot, capabilities },
          {
            allowPrivilegeEscalation: false,
            privileged: false,
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            capabilities: { drop: ['ALL'] },
          },
          owner.metadata.name,
        )
        assert.equal(pod.spec.securityContext['runAsUser'], 10001)
        assert.deepEqual(pod.spec.securityContext['seccompProfile'], { type: 'RuntimeDefault' })
        assert.equal(pod.spec.automountServiceAccountToken, false)
        assert.ok(!('hostNetwork' in pod.spec || 'hostPID' in pod.spec))
        assert.ok(container.resources.requests?.['memory'] && container.resources.limits?.['memory'] && container.resources.requests['cpu'])
        assert.match(container.image, /:\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$/)
        // A secret that everybody may read is refused by the processes themselves.
        for (const { secret } of pod.spec.volumes) if (secret !== undefined) assert.equal(secret.defaultMode & 0o007, 0)
        if (owner.kind !== 'Job')
          for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
            assert.ok(probe in container, `${container.name} ${probe}`)
      }
    })

  for (const name of CASES)
    test(`${name}: every process takes its variables, and finds no secret among them`, () => {
      const pods = podsOf(rendered(name))
      assert.deepEqual(pods.map(({ container }) => container.name).sort(), ['front', 'migrate', 'recorder', 'worker'])
      for (const { container } of pods) {
        for (const { name: variable, value, valueFrom } of container.env) {
          assert.equal(value === undefined, valueFrom !== undefined, variable)
          if (/(PASSWORD|_SECRET|TOKEN|CLICKHOUSE_\w*URL|WEBHOOK_URL)$/.test(variable))
            assert.ok(valueFrom?.secretKeyRef.name, `${variable} stands in the open`)
        }
        assert.equal(new Set(container.env.map((variable) => variable.name)).size, container.env.length, 'a variable is set twice')
        assert.deepEqual(container.args, [container.name])
        const load = PROCESSES[container.name]
        assert.ok(load, container.name)
        const env = Object.fromEntries(container.env.map((variable) => [variable.name, variable.value ?? secretValue(variable.name)]))
        assert.ok(load({ env }).config)
        const mounts = container.volumeMounts.map(({ mountPath }) => mountPath)
        for (const [variable, value] of Object.entries(env))
          if (variable.endsWith('_FILE'))
            assert.ok(
              mounts.some((path) => value.startsWith(`${path}/`)),
              `${variable} is nowhere mounted`,
            )
      }
    })

  for (const name of CASES)
    test(`${name}: each process has a network policy, each that serves a disruption budget, and both pick it`, () => {
      const manifests = rendered(name)
      for (const { owner, pod } of podsOf(manifests)) {
        const policies = manifests.filter(({ kind, spec }) => kind === 'NetworkPolicy' && picks(spec?.['podSelector'], pod.metadata.labels))
        assert.equal(policies.length, 1, owner.metadata.name)
        assert.deepEqual(policies[0]?.spec?.['policyTypes'], ['Ingress', 'Egress'])
        const budgets = manifests.filter(
          ({ kind, spec }) => kind === 'PodDisruptionBudget' && picks(spec?.['selector'], pod.metadata.labels),
        )
        assert.equal(budgets.length, owner.kind === 'Job' ? 0 : 1, owner.metadata.name)
      }
      const front = podsOf(manifests).find(({ container }) => container.name === 'front')!
      const service = manifests.find(({ kind }) => kind === 'Service')!
      assert.ok(picks({ matchLabels: service.spec?.['selector'] }, front.pod.metadata.labels))
    })

  test('the migration runs before anything of a version starts', () => {
    const job = rendered('minimal.yaml').find(({ kind }) => kind === 'Job')!
    assert.equal(job.metadata.annotations?.['helm.sh/hook'], 'pre-install,pre-upgrade')
    assert.ok(!rendered('minimal.yaml', '--set', 'migrate.enabled=false').some(({ kind }) => kind === 'Job'))
  })

  test('workers are scaled on lag or on CPU, and then nobody else sets their number', () => {
    const worker = (name: string): Manifest =>
      rendered(name).find(({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith('-worker'))!
    assert.equal(worker('minimal.yaml').spec?.['replicas'], 2)
    for (const name of ['scram-keda.yaml', 'oauth-hpa.yaml']) assert.ok(!('replicas' in worker(name).spec!), name)
    const scaled = rendered('scram-keda.yaml').find(({ kind }) => kind === 'ScaledObject')!
    const [trigger] = scaled.spec?.['triggers'] as { metadata: Record<string, string>; authenticationRef: unknown }[]
    assert.deepEqual(
      [trigger?.metadata['consumerGroup'], trigger?.metadata['topic'], trigger?.metadata['sasl']],
      ['plumbline.worker', 'plumbline.events', 'scram_sha512'],
    )
    assert.deepEqual(scaled.spec?.['scaleTargetRef'], { name: worker('scram-keda.yaml').metadata.name })
    assert.ok(rendered('oauth-hpa.yaml').some(({ kind }) => kind === 'HorizontalPodAutoscaler'))
  })

  test('rules and dashboard are those of this checkout', () => {
    const manifests = rendered('scram-keda.yaml')
    assert.deepEqual(manifests.find(({ kind }) => kind === 'PrometheusRule')?.spec, parse(read('deploy/prometheus/rules.yml')))
    const dashboard = manifests.find(({ metadata }) => metadata.name.endsWith('-dashboard'))?.['data'] as Record<string, string>
    assert.deepEqual(JSON.parse(dashboard['plumbline.json'] ?? ''), JSON.parse(read('deploy/grafana/dashboards/plumbline.json')))
    const jobs = manifests
      .filter(({ kind }) => kind === 'PodMonitor')
      .map(({ spec }) => (spec?.['podMetricsEndpoints'] as { relabelings: { replacement: string }[] }[])[0]?.relabelings[0]?.replacement)
    assert.deepEqual(jobs.sort(), ['plumbline-front', 'plumbline-recorder', 'plumbline-worker'])
  })

  test('what is missing or unknown is refused with the name of the value', () => {
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [['--set-json', 'kafka.brokers=[]'], /kafka\.brokers: name at least one broker/],
      [['--set', 'masterKey.secretName='], /masterKey\.secretName: name the secret/],
      [['--set', 'front.token.secretName='], /front\.token\.secretName: name the secret/],
      [['--set', 'recorder.clickhouse.secretName='], /recorder\.clickhouse\.secretName: name the secret/],
      [['--set', 'kafka.sasl=plain'], /kafkaSecretName of each process is required with kafka\.sasl plain/],
      [['--set', 'worker.replica=3'], /replica/],
      [['--set', 'image.tag=latest'], /tag/],
      [['--set', 'extraEnv.front.PLUMBLINE_TOKEN=x'], /PLUMBLINE_TOKEN/],
    ]
    for (const [args, words] of refusals) {
      const { status, stderr } = template('minimal.yaml', ...args)
      assert.notEqual(status, 0, args.join(' '))
      assert.match(stderr, words)
    }
  })

  test('chart and image are of the version of this checkout', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string }
    const chart = parse(read('deploy/helm/plumbline/Chart.yaml')) as { version: string; appVersion: string }
    assert.deepEqual([chart.version, chart.appVersion], [version, version])
  })
})
