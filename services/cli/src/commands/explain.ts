import { setTimeout as sleep } from 'node:timers/promises'
import { AlertDetail, type EventView, PlumblineError, type Reason, ReplayAnswer } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { NAMED, type NamedFlags, namedApi } from '../instance/named.ts'
import type { Api } from '../instance/api.ts'
import { columns, type Output, report } from '../output.ts'
import { examples, type Register } from '../register.ts'
import { alertWords, quantityWords } from '../replay/words.ts'

export const registerExplain: Register = (program, outputOf) => {
  program
    .command('explain')
    .description(
      'One alert: its reasons, observed against typical, the events that made it, and its score computed again from the recorded state.',
    )
    .argument('<alert-id>')
    .option(...NAMED.to)
    .option(...NAMED.token)
    .option(...NAMED.dataDir)
    .addHelpText(
      'after',
      examples('plumbline explain 5c47d350-0f9c-5f2f-856b-6aa9b303f03e', 'plumbline explain --json 5c47d350-0f9c-5f2f-856b-6aa9b303f03e'),
    )
    .action(async (id: string, flags: NamedFlags, command: Command) => explain(id, flags, outputOf(command)))
}

const PENDING_FOR_MS = 5000

/** The state of a very new alert reaches the store a moment after the alert. */
const replayOf = async (api: Api, path: string): Promise<ReplayAnswer> => {
  const end = performance.now() + PENDING_FOR_MS
  for (;;) {
    try {
      return ReplayAnswer.parse(await api.get(`${path}/replay`))
    } catch (error) {
      if (!(error instanceof PlumblineError) || error.code !== 'REPLAY_PENDING' || performance.now() > end) throw error
      await sleep(200)
    }
  }
}

const explain = async (id: string, flags: NamedFlags, output: Output): Promise<void> => {
  const { api, close } = await namedApi(flags, output)
  try {
    const path = `/v1/alerts/${encodeURIComponent(id)}`
    const detail = AlertDetail.parse(await api.get(path))
    // What the alert says is worth having even where this build cannot score it again.
    const replay = await replayOf(api, path).catch((error: unknown) => error as Error)
    if (replay instanceof Error) {
      await report(output, detail, `${wordsOf(detail)}\n`)
      throw replay
    }
    await report(output, { ...detail, replay }, [wordsOf(detail), replayWords(replay)].join('\n\n'))
    if (!replay.identical) process.exitCode = EXIT.failure
  } finally {
    await close()
  }
}

const wordsOf = ({ alert, events, eventsPending }: AlertDetail): string => {
  const reasons = alert.facts.reasons.map((r) => [
    `${Math.round(r.weight * 100)} %`,
    r.family.replaceAll('_', ' '),
    r.object ?? '',
    `${quantityWords(r.observed)}${usualWords(r)}`,
  ])
  return [
    alertWords(alert),
    `  ${alert.suppressed} of its events not published one by one; verdict: ${alert.verdict ?? 'none yet'}`,
    ...(alert.counterfactual === undefined ? [] : [`  quiet if: ${alert.counterfactual}`]),
    '',
    'Reasons, heaviest first',
    columns(reasons.map((row) => ['', ...row])),
    '',
    `Events${listedWords(events.length, alert.count)}${eventsPending ? ' (some are not in the store yet)' : ''}`,
    columns(events.map((e) => ['', ...eventRow(e)])),
  ].join('\n')
}

/** An alert names its first events and the newest; how many there are, is counted. */
const listedWords = (listed: number, count: number): string => (listed < count ? `, ${listed} of ${count}` : '')

const usualWords = ({ typical, first }: Reason): string => {
  if (typical === undefined) return first === true ? ', never before' : ''
  return `, usually ${quantityWords(typical)}${typical.unit === 'share' ? ' of its acts' : ''}`
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
