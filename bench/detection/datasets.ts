import { execFileSync } from 'node:child_process'
import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { readEvents } from '@plumbline/adapters/files'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { evaluate, type ScoreLine } from '../../services/cli/src/evaluate/evaluate.ts'
import { cached } from '../lib/cached.ts'
import { CACHE, sharedData } from '../lib/paths.ts'
import { auroc } from './adbench.ts'
import { averagePrecision } from './company.ts'
import type { DetectionPart } from './detection.ts'
import { tabularRun } from './tabular.ts'

const nothing = (what: string): DetectionPart => ({
  how: [`${what}: skipped, the shared data folder is not here.`],
  values: { skipped: 'no shared data' },
  bars: [],
  tables: [],
})

/** `plumbline evaluate --train A --test B`, frozen, with its lines in memory. */
const evaluated = async (train: string, test: string): Promise<ScoreLine[]> => {
  const lines: ScoreLine[] = []
  await evaluate({
    train: readEvents(train),
    test: readEvents(test),
    learn: 'frozen',
    config: DEFAULT_DETECTION_CONFIG,
    write: (line) => void lines.push(line),
  })
  return lines
}

const linesOf = async function* (path: string): AsyncGenerator<Record<string, unknown>> {
  for await (const line of createInterface({ input: createReadStream(path).pipe(createGunzip()) }))
    if (line !== '') yield JSON.parse(line) as Record<string, unknown>
}

type AgentScores = Readonly<Record<'AUROC_A' | 'AUROC_B' | 'TPR@1%FPR' | 'TPR@5%FPR' | 'AP_stream', number>>

/** The data set's own scorer. */
const scoreAgents = (scorer: string, split: string, scores: Iterable<{ session: string; score: number | null }>): AgentScores => {
  const path = join(CACHE, `agentdyn-${split}.jsonl`)
  writeFileSync(path, [...scores].map((s) => `${JSON.stringify(s)}\n`).join(''))
  const out = execFileSync('python3', [scorer, '--split', split, '--scores', path], { encoding: 'utf8' })
  return Object.fromEntries(
    [...out.matchAll(/(AUROC_[AB]|TPR@\d%FPR|AP_stream) ([\d.]+)/g)].map((m) => [m[1]!, Number(m[2])]),
  ) as AgentScores
}

export const agentdyn = async (): Promise<DetectionPart> => {
  const folder = sharedData('agentdyn')
  const scorer = sharedData('score_agents.py')
  if (folder === null || scorer === null) return nothing('agentdyn')
  const found = await cached('agentdyn', [], async () => {
    const out: Record<string, { ours: AgentScores; length: AgentScores }> = {}
    for (const split of ['unseen', 'seen']) {
      const test = join(folder, `dailylife_replay_${split}_test.jsonl.gz`)
      const lines = await evaluated(join(folder, `dailylife_replay_${split}_train.jsonl.gz`), test)
      const length = new Map<string, number>()
      for await (const { session } of linesOf(test)) length.set(session as string, (length.get(session as string) ?? 0) + 1)
      out[split] = {
        ours: scoreAgents(
          scorer,
          split,
          lines.flatMap((l) => (l.session === null ? [] : [{ session: l.session, score: l.score }])),
        ),
        length: scoreAgents(
          scorer,
          split,
          [...length].map(([session, score]) => ({ session, score })),
        ),
      }
    }
    return out
  })
  const forest: Readonly<Record<string, number>> = { unseen: 0.625, seen: 0.68 }
  const names = ['AUROC_A', 'AUROC_B', 'TPR@1%FPR', 'TPR@5%FPR', 'AP_stream'] as const
  return {
    how: [
      "agentdyn: `evaluate --train … --test …`, frozen baselines, the data set's own scorer (a session scores as its worst call). Reference rows are those published with the data set.",
    ],
    values: found,
    bars: ['unseen', 'seen'].map((split) => ({
      what: `agentdyn ${split}, AUROC_A against IsolationForest on tool counts`,
      measured: found[split]!.ours.AUROC_A,
      bar: forest[split]!,
      atLeast: true,
      unit: '',
      digits: 3,
    })),
    tables: [
      {
        title: 'agentdyn',
        columns: ['split', 'detector', ...names],
        rows: ['unseen', 'seen'].flatMap((split) => [
          [split, 'Plumbline', ...names.map((n) => found[split]!.ours[n])],
          [split, 'session length alone (trivial)', ...names.map((n) => found[split]!.length[n])],
          [split, 'IsolationForest on tool counts, bigrams, lengths (reference)', forest[split]!, null, null, null, null],
          [split, 'first-seen tool, bigram, destination (reference)', split === 'unseen' ? 0.801 : 0.933, null, null, null, null],
        ]),
      },
    ],
  }
}

export const cloudtrail = async (): Promise<DetectionPart> => {
  const train = sharedData('cloudtrail', 'train.jsonl.gz')
  const test = sharedData('cloudtrail', 'test.jsonl.gz')
  if (train === null || test === null) return nothing('cloudtrail')
  const found = await cached('cloudtrail', [], async () => {
    const labels: boolean[] = []
    const perSession = new Map<string, number>()
    const length: number[] = []
    for await (const line of linesOf(test)) {
      labels.push(line['label'] === 1)
      const session = `${String(line['identity'])}|${String(line['session'])}`
      perSession.set(session, (perSession.get(session) ?? 0) + 1)
      length.push(perSession.get(session)!)
    }
    const judge = (scores: readonly number[]) => ({
      auroc: auroc(Float32Array.from(scores), (i) => labels[i]!) / 100,
      ap: averagePrecision(scores.map((score, i) => ({ score, positive: labels[i]! }))),
    })
    const lines = await evaluated(train, test)
    if (lines.length !== labels.length) throw new Error('evaluate answered another number of lines than the file has')
    return {
      ours: judge(lines.map((l) => l.score ?? -1)),
      length: judge(length),
      events: labels.length,
      attacks: labels.filter(Boolean).length,
      refused: lines.filter((l) => l.score === null).length,
    }
  })
  return {
    how: [
      `cloudtrail: \`evaluate\` on the benign events, then ${found.events} events, ${found.attacks} of them of attacks (prevalence ${(found.attacks / found.events).toFixed(2)}), per event; ${found.refused} refused.`,
    ],
    values: found,
    bars: [],
    tables: [
      {
        title: 'CloudTrail, train to test, user agent hidden',
        columns: ['detector', 'AUROC', 'average precision'],
        rows: [
          ['Plumbline', found.ours.auroc, found.ours.ap],
          ['session length so far (trivial)', found.length.auroc, found.length.ap],
          ['action rarity per identity (reference)', 0.875, 0.54],
        ],
      },
    ],
  }
}

export const adbench = async (): Promise<DetectionPart> => {
  if (sharedData('adbench') === null) return nothing('adbench')
  const found = await tabularRun(0)
  return {
    how: [
      `adbench: the bare autoencoder scorer (shipped training, whitening and kernel), ${Object.keys(found.sets).length} sets, one seed.`,
    ],
    values: { ...found },
    bars: [{ what: 'adbench, mean AUROC', measured: found.mean_auroc, bar: 80, atLeast: true, unit: '', digits: 1 }],
    tables: [
      {
        title: 'adbench',
        columns: ['detector', 'mean AUROC'],
        rows: [
          ['Plumbline, bare scorer', found.mean_auroc],
          ['MLP autoencoder (reference, same protocol)', 83.3],
          ['IsolationForest (reference, same protocol)', 81.9],
        ],
        notes: [
          Object.entries(found.sets)
            .map(([name, value]) => `${name} ${value.toFixed(1)}`)
            .join(', '),
        ],
      },
    ],
  }
}
