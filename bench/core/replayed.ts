import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { THROW_AWAY_TOPIC } from '../../services/cli/src/evaluate/instance.ts'
import { replay } from '../../services/cli/src/replay/replay.ts'
import { REPLAY_KEY, throwAwayTarget } from '../../services/cli/src/replay/throw-away.ts'
import type { Corpus } from '../lib/corpus.ts'
import type { LogName } from '../lib/drive.ts'
import { CACHE, ROOT } from '../lib/paths.ts'
import { CONFIG, described, type TrainedRelease } from '../lib/release.ts'

/** A release and how many events stand before the record that puts it into use. */
export interface Placed {
  readonly after: number
  readonly release: TrainedRelease
}

export interface Replayed {
  /** SHA-256 of its outbox, as `plumbline replay --json` prints it. */
  readonly digest: string
  readonly releases: readonly Placed[]
  /** Of the file, from the root of the repository. */
  readonly path: string
}

/** The log that `plumbline replay` stands for: alerts of the same events have the same ids. */
export const REPLAY_LOG: LogName = { masterKey: REPLAY_KEY, topic: THROW_AWAY_TOPIC }

const DIR = join(CACHE, 'core')
const FILE = join(DIR, 'events.ndjson')
const artifact = (i: number): string => join(DIR, `release-${i}.bin`)

interface Report {
  readonly digest: string
  readonly after: readonly number[]
}

/** Plays the first `events` of a corpus from a file, as `plumbline replay` does, in a process of its own: what is measured after it must not feel it. */
export const replayed = (corpus: Corpus, events: number): Replayed => {
  mkdirSync(DIR, { recursive: true })
  writeFileSync(FILE, corpus.bytes.subarray(0, corpus.starts[events]))
  process.stderr.write(`replaying ${events} events …\n`)
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), String(events)]
  const { digest, after } = JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  ) as Report
  const releases = after.map((n, i): Placed => ({ after: n, release: described(readFileSync(artifact(i))) }))
  return { digest, releases, path: FILE.slice(ROOT.length) }
}

const play = async (events: number): Promise<Report> => {
  const after: number[] = []
  const board = { budgetPerDay: CONFIG.alertBudgetPerDay, live: false, show: () => Promise.resolve() }
  const target = throwAwayTarget(CONFIG, board, {
    onRelease: (release) => {
      writeFileSync(artifact(after.length), release.artifact)
      // Its log holds the events and the releases before.
      after.push(release.offset - after.length)
    },
  })
  const progress = { at: () => undefined, phase: () => undefined, end: () => undefined }
  const { outcome, ...read } = await replay({ files: [FILE], format: 'native', tenant: 'default', pace: 0, target, progress })
  if (read.events !== events || outcome === undefined) throw new Error(`${read.rejected} events were refused`)
  return { digest: outcome.outboxSha256, after }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(JSON.stringify(await play(Number(process.argv[2]))))
