import { AlertDetail, type EventView, PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { columns, type Output, report } from '../output.ts'
import { examples, type Register } from '../register.ts'
import { alertWords, quantityWords } from '../replay/words.ts'
import { dataDirOf } from '../store.ts'

interface Flags {
  readonly dataDir?: string
  readonly to?: string
  readonly token?: string
}

/** Answer of GET /v1/alerts/:id/replay: the score made again from the alert's own capsule. */
interface ReplayAnswer {
  readonly identical: boolean
  readonly score: number
  readonly recordedScore: number
  readonly differences: readonly { readonly feature: string; readonly recorded: number; readonly recomputed: number }[]
}

export const registerExplain: Register = (program, outputOf) => {
  program
    .command('explain')
    .description(
      'One alert: its reasons, observed against typical, the events that made it, and its score computed again from the recorded state.',
    )
    .argument('<alert-id>')
    .option('--to <url>', 'the instance (default: the one that runs on the data folder)')
    .option('--token <token>', 'its token (default: PLUMBLINE_TOKEN, or that of the running instance)')
    .option('--data-dir <folder>', 'data folder (default: PLUMBLINE_DATA_DIR or data)')
    .addHelpText(
      'after',
      examples('plumbline explain 5c47d350-0f9c-5f2f-856b-6aa9b303f03e', 'plumbline explain --json 5c47d350-0f9c-5f2f-856b-6aa9b303f03e'),
    )
    .action(async (id: string, flags: Flags, command: Command) => explain(id, flags, outputOf(command)))
}

interface Api {
  get(path: string): Promise<unknown>
}

const apiOf = async (flags: Flags): Promise<Api> => {
  const { findInstance } = await import('@plumbline/runtime')
  const dataDir = dataDirOf(flags)
  const running = flags.to === undefined ? findInstance(dataDir) : undefined
  const base = (flags.to ?? running?.url)?.replace(/\/+$/, '')
  if (base === undefined) {
    throw new PlumblineError('INSTANCE_NOT_RUNNING', `no instance runs on ${dataDir}; start it with plumbline up, or name one with --to`, {
      retryable: true,
    })
  }
  const token = flags.token ?? process.env['PLUMBLINE_TOKEN'] ?? running?.token
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return {
    get: async (path) => {
      const answer = await fetch(base + path, { headers, signal: AbortSignal.timeout(30_000) }).catch((cause: unknown) => {
        throw new PlumblineError('INSTANCE_UNAVAILABLE', `${base} does not answer`, { retryable: true, cause })
      })
      if (answer.ok) return answer.json()
      const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string }
      throw new PlumblineError(said.code ?? `HTTP_${answer.status}`, said.message ?? `${base} answered ${answer.status}`, {
        retryable: answer.status >= 500,
      })
    },
  }
}

const explain = async (id: string, flags: Flags, output: Output): Promise<void> => {
  const api = await apiOf(flags)
  const path = `/v1/alerts/${encodeURIComponent(id)}`
  const detail = AlertDetail.parse(await api.get(path))
  const replay = (await api.get(`${path}/replay`)) as ReplayAnswer
  await report(output, { ...detail, replay }, [wordsOf(detail), replayWords(replay)].join('\n\n'))
  if (!replay.identical) process.exitCode = EXIT.failure
}

const wordsOf = ({ alert, events, eventsPending }: AlertDetail): string => {
  const reasons = alert.facts.reasons.map((r) => [
    `${Math.round(r.weight * 100)} %`,
    r.family.replaceAll('_', ' '),
    r.object ?? '',
    `${quantityWords(r.observed)}${r.typical === undefined ? ', never before' : `, usually ${quantityWords(r.typical)}`}`,
  ])
  return [
    alertWords(alert),
    `  ${alert.count} ${alert.count === 1 ? 'event' : 'events'} in this group, ${alert.suppressed} not published one by one; verdict: ${alert.verdict ?? 'none yet'}`,
    ...(alert.counterfactual === undefined ? [] : [`  quiet if: ${alert.counterfactual}`]),
    '',
    'Reasons, heaviest first',
    columns(reasons.map((row) => ['', ...row])),
    '',
    `Events${eventsPending ? ' (some are not in the store yet)' : ''}`,
    columns(events.map((e) => ['', ...eventRow(e)])),
  ].join('\n')
}

const eventRow = (e: EventView): string[] => [
  new Date(e.time).toISOString().replace('T', ' ').slice(0, 19),
  e.score.toFixed(0),
  e.outcome,
  e.action,
  e.resourceClass,
  [e.resource, e.destination === '' ? '' : `to ${e.destination}`, e.bytesOut > 0 ? `${e.bytesOut} bytes out` : '']
    .filter((s) => s !== '')
    .join(', '),
]

const replayWords = (r: ReplayAnswer): string =>
  r.identical
    ? `Computed again from the recorded state: ${r.score.toFixed(4)}, identical, with every feature.`
    : `Computed again from the recorded state: ${r.score}, recorded ${r.recordedScore}. Different: ${r.differences.map((d) => `${d.feature} ${d.recorded} now ${d.recomputed}`).join('; ')}`
