// Pages and a schema that are made from declarations of services. `npm run docs` writes them, `npm run docs -- --check` fails where one is stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { ACL_SERVICES, aclsOf } from '../packages/adapters/src/kafka/acls.ts'
import { configDocs, configSchema, metricsDocs } from '../packages/runtime/src/index.ts'
import { REJECT_CODES } from '../schemas/src/index.ts'
import { commandDocs } from '../services/cli/src/docs.ts'
import { MigrateConfig } from '../services/cli/src/migrate/config.ts'
import { KNOWN } from '../services/console/src/problems.ts'
import { PROBLEMS } from '../services/gateway/src/problems.ts'
import { RecorderConfig } from '../services/recorder/src/config.ts'
import { StandaloneConfig } from '../services/standalone/src/config.ts'
import { FrontConfig } from '../services/standalone/src/front/config.ts'
import { REFUSALS } from '../services/standalone/src/operator/routes.ts'
import { WorkerConfig } from '../services/worker/src/config.ts'
import { storeDocs } from './store.ts'

const GENERATED = 'Generated from the declaration; do not edit.'

const cell = (text: string): string => text.replaceAll('|', '\\|')
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')

const refusals = (known: Readonly<Record<string, { readonly status: number; readonly remedy: string }>>): string =>
  table(
    ['code', 'HTTP', 'what to do'],
    Object.entries(known).map(([code, { status, remedy }]) => [`\`${code}\``, String(status), remedy]),
  )

const errors = (): string =>
  [
    `# Codes\n\n${GENERATED} Codes are stable: scripts may rely on them.`,
    '## Events that are not scored\n\nIn the answer of `POST /v1/events`, in the dead letters, in `plumbline_dead_letters_total` and in the summaries of `replay` and `backfill`.',
    table(
      ['code', 'what it means, and what to do'],
      Object.entries(REJECT_CODES).map(([code, words]) => [`\`${code}\``, words]),
    ),
    '## Requests that are refused at the door\n\n`POST /v1/events`, `POST /v1/traces`.',
    refusals(PROBLEMS),
    '## Requests that are refused by the read API and the page\n\nA code that is not listed is a failure inside the service: 500, or 503 when trying again can help.',
    refusals(KNOWN),
    '## Requests that are refused to anybody but the operator\n\n`POST /v1/operator/…`, which `plumbline backfill`, `train`, `erase` and `replay --to` use.',
    refusals(REFUSALS),
  ].join('\n\n')

/** A page written by hand with one part that is made: what stands between its two marks. */
const withPart = (page: string, name: string, part: string): string => {
  const text = readFileSync(new URL(page, import.meta.url), 'utf8')
  const [before, rest] = text.split(`<!-- ${name}: generated -->\n`)
  const [, after] = (rest ?? '').split(`<!-- /${name} -->`)
  if (before === undefined || after === undefined) throw new Error(`docs/${page} has no part ${name}`)
  return `${before}<!-- ${name}: generated -->\n\n${part}\n\n<!-- /${name} -->${after}`
}

const aclTable = (): string =>
  table(
    ['process', 'may', 'of', 'named', 'why'],
    ACL_SERVICES.flatMap((service) =>
      aclsOf(service).map(({ resource, name, pattern, operations, why }) => [
        service,
        operations.join(', '),
        resource,
        pattern === 'prefixed' ? `\`${name}\`…` : `\`${name}\``,
        why,
      ]),
    ),
  )

const PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  'config.md': () => configDocs(StandaloneConfig, 'Configuration of plumbline up'),
  'config-front.md': () => configDocs(FrontConfig, 'Configuration of plumbline front'),
  'config-worker.md': () => configDocs(WorkerConfig, 'Configuration of plumbline worker'),
  'config-recorder.md': () => configDocs(RecorderConfig, 'Configuration of plumbline recorder'),
  'config-migrate.md': () => configDocs(MigrateConfig, 'Configuration of plumbline migrate'),
  'metrics.md': () => `# Metrics\n\n${GENERATED} Served at \`/metrics\` for Prometheus.\n\n${metricsDocs()}`,
  'errors.md': () => `${errors()}\n`,
  '../schemas/json/standalone-config.v1.schema.json': () => configSchema(StandaloneConfig),
  'security.md': () => withPart('security.md', 'acls', aclTable()),
  'store.md': () => `# Tables of the store\n\n${GENERATED}\n\n${storeDocs(table)}\n`,
  'cli.md': async () => `# Command line\n\n${GENERATED}\n\n${await commandDocs()}`,
}

const check = process.argv.includes('--check')
for (const [name, make] of Object.entries(PAGES)) {
  const path = new URL(name, import.meta.url)
  const text = await make()
  if (!check) {
    writeFileSync(path, text)
    continue
  }
  let now = ''
  try {
    now = readFileSync(path, 'utf8')
  } catch {
    // Not there: as stale as can be.
  }
  if (now === text) continue
  process.stderr.write(`docs/${name} does not match its declaration. Run: npm run docs\n`)
  process.exitCode = 1
}
