import { readdirSync, readFileSync } from 'node:fs'
import { FEATURES, SCORED_COLUMNS, SCORED_FLAG_WORDS, SCORED_FLAGS } from '../schemas/src/index.ts'

const MIGRATIONS = new URL('../schemas/clickhouse/', import.meta.url)

type Table = (head: readonly string[], rows: readonly (readonly string[])[]) => string

interface Made {
  readonly name: string
  readonly about: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/** Tables as the migrations make them, with the comment above each. */
const tables = (): Made[] => {
  const sql = readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => readFileSync(new URL(name, MIGRATIONS), 'utf8'))
    .join('\n')
  return [...sql.matchAll(/((?:^--.*\n)*)CREATE TABLE IF NOT EXISTS \{db\}\.(\w+) \(\n([^]*?)\n\) ENGINE/gm)].map(
    ([, comment = '', name = '', body = '']) => ({
      name,
      about: comment.replaceAll(/^-- ?/gm, '').replaceAll('\n', ' ').trim(),
      columns: [
        ...body.split('\n').flatMap((line) => {
          const found = /^ {2}([a-z_\d]+) +(.*?)(?: +DEFAULT [^ ,]+)?(?: +CODEC\(.*\))?,?$/.exec(line)
          return found === null ? [] : [{ name: found[1] ?? '', type: found[2] ?? '' }]
        }),
        ...added(sql, name),
      ],
    }),
  )
}

/** Columns that later migrations added to a table. */
const added = (sql: string, table: string): Made['columns'] =>
  [...sql.matchAll(/^ALTER TABLE \{db\}\.(\w+) ADD COLUMN IF NOT EXISTS ([a-z_\d]+) (\w+(?:\([^)]*\))?)/gm)].flatMap(
    ([, altered, name = '', type = '']) => (altered === table ? [{ name, type }] : []),
  )

/** What the names of the columns do not say by themselves. */
const MEANINGS: Readonly<Record<string, string>> = {
  'scored_events.flags': 'Bits, see [flags](#flags).',
  'scored_events.top_features': 'The [features](#features) that weigh most, heaviest first.',
  'scored_events.stored_at': 'When the row was stored; retention counts from it.',
  'identities.identity_kind': '0 agent, 1 user, 2 service.',
  'identities.maturity': 'How well it is known, 0 to 1: read it with `argMaxMerge(maturity)` and GROUP BY tenant, identity.',
  'identities.events': 'How many: read it with `uniqCombined64Merge(15)(events)` and GROUP BY tenant, identity.',
  'alerts.activity': 'create, update or close.',
  'alerts.severity_rank': '0 low, 1 medium, 2 high, 3 critical.',
  'alerts.critical': '1: found by a rule.',
  'alerts.historic': '1: found in a backfill, never sent.',
  'alerts.delivery': 'delivered, held (by the budget) or historic.',
  'alerts.count': 'Events of the group so far.',
  'alerts.suppressed': 'Of those, not told one by one.',
  'alerts.alert': 'The whole alert, JSON.',
  'feedback.verdict': 'confirmed, safe or dismissed.',
  'capsules.identity_kind': 'agent, user or service.',
  'recorder_positions.lane': 'Partition of the topic in a cluster; else 0.',
  'dead_letters.payload': 'The beginning of what arrived, base64.',
}

const meaningOf = (table: string, column: string): string =>
  MEANINGS[`${table}.${column}`] ??
  (table === 'scored_events' ? (SCORED_COLUMNS.find(({ name }) => name === column)?.description ?? '') : '')

/** The tables that `plumbline query` asks, from the declarations that make them. */
export const storeDocs = (table: Table): string =>
  [
    'What `plumbline query` asks, in ClickHouse SQL; see also the view `alerts_latest`, the newest revision of each alert. A row may be stored twice until parts are merged: count with `uniqExact`, or add `FINAL` to the table.',
    "Some columns of `scored_events` are numbers that stand for names. In words:\n\n```\nplumbline query \"SELECT event_time, identity, ['agent', 'user', 'service'][identity_kind + 1] AS kind, action, ['success', 'failure', 'denied'][outcome + 1] AS result, score FROM scored_events ORDER BY score DESC LIMIT 10\"\n```",
    ...tables().map(({ name, about, columns }) => {
      const rows = columns.map((c) => [`\`${c.name}\``, c.type, meaningOf(name, c.name)])
      return `## ${name}\n\n${about === '' ? '' : `${about}\n\n`}${table(['column', 'type', 'meaning'], rows)}`
    }),
    `## Flags\n\nBits of \`scored_events.flags\`; like \`WHERE bitAnd(flags, ${SCORED_FLAGS.alerted}) != 0\` for what alerted.\n\n${table(
      ['bit', 'name', 'meaning'],
      Object.entries(SCORED_FLAGS).map(([name, bit]) => [String(bit), `\`${name}\``, SCORED_FLAG_WORDS[name as keyof typeof SCORED_FLAGS]]),
    )}`,
    `## Features\n\nThe numbers in \`top_features\` and the places in \`features\` (there counted from 1).\n\n${table(
      ['index', 'name', 'unit', 'meaning'],
      FEATURES.map((f, i) => [String(i), `\`${f.name}\``, f.unit, f.doc]),
    )}`,
  ].join('\n\n')
