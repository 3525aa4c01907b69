import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { hashOf, sharedData } from '../lib/paths.ts'
import type { Table } from '../lib/result.ts'
import { auroc } from './adbench.ts'
import { averagePrecision } from './company.ts'
import { peerScores, peersLeftOut } from './peer-rows.ts'
import { evaluateVectors, PARTS, type Scored, surpriseWithout } from './vectors.ts'

const labelsOf = async (path: string): Promise<boolean[]> => {
  const labels: boolean[] = []
  for await (const line of createInterface({ input: createReadStream(path).pipe(createGunzip()) }))
    if (line !== '') labels.push((JSON.parse(line) as { readonly label: number }).label === 1)
  return labels
}

export const cloudtrailTable = async (): Promise<Table | null> => {
  const train = sharedData('cloudtrail', 'train.jsonl.gz')
  const test = sharedData('cloudtrail', 'test.jsonl.gz')
  if (train === null || test === null) return null
  const labels = await labelsOf(test)
  const evaluated = await evaluateVectors(train, test, 'frozen')
  const { rows, typical } = evaluated
  if (rows.length !== labels.length) throw new Error(`${rows.length} of ${labels.length} events were scored`)
  const row = (name: string, score: (r: Scored, i: number) => number): (string | number | null)[] => {
    const scores = rows.map(score)
    return [
      name,
      auroc(Float32Array.from(scores), (i) => labels[i]!) / 100,
      averagePrecision(scores.map((s, i) => ({ score: s, positive: labels[i]! }))),
    ]
  }
  const before = new Map<string, number>()
  const length = rows.map(({ session }) => {
    before.set(session, (before.get(session) ?? 0) + 1)
    return before.get(session)!
  })
  return {
    title: 'CloudTrail, user agent hidden, per event',
    columns: ['detector', 'AUROC', 'average precision'],
    rows: [
      row('perfect', (_, i) => (labels[i] ? 1 : 0)),
      row('Plumbline', (r) => r.score),
      row('sum of surprise alone', (r) => r.surprise),
      row('autoencoder alone', (r) => r.reconstruction),
      ...Object.entries(PARTS).map(([part, leftOut]) =>
        row(`sum of surprise without ${part}`, (r) => surpriseWithout(r, typical, leftOut)),
      ),
      ...[...peerScores(evaluated)].map(([name, scores]) => row(name, (_, i) => scores[i]!)),
      ['action rarity per identity (reference)', 0.875, 0.54],
      row('session length so far (trivial)', (_, i) => length[i]!),
      row('random', (_, i) => Number.parseInt(hashOf(i).slice(0, 8), 16)),
      row('null (all equal)', () => 0),
    ],
    notes: ['Baselines frozen after the benign file; the two files lie in the same forty minutes.', ...peersLeftOut()],
  }
}
