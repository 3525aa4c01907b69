// Pages that are made from declarations. `npm run docs` writes them, `npm run docs -- --check` fails where one is stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { configDocs, metricsDocs } from '../packages/runtime/src/index.ts'
import { StandaloneConfig } from '../services/standalone/src/config.ts'

const PAGES: Readonly<Record<string, () => string>> = {
  'config.md': () => configDocs(StandaloneConfig, 'Configuration of plumbline up'),
  'metrics.md': () =>
    `# Metrics\n\nGenerated from the declaration; do not edit. Served at \`/metrics\` for Prometheus.\n\n${metricsDocs()}`,
}

const check = process.argv.includes('--check')
for (const [name, make] of Object.entries(PAGES)) {
  const path = new URL(name, import.meta.url)
  const text = make()
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
