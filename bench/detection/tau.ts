// A check that must come out near perfect: an assistant's identity plays sessions of an agent with which it shares no tool.
import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { bootstrap, mean } from '../lib/numbers.ts'
import { CACHE, hashOf, sharedData } from '../lib/paths.ts'
import type { Table } from '../lib/result.ts'
import { DETECTORS, type Rated, recallOf } from './roles.ts'
import { evaluateVectors, type Scored } from './vectors.ts'

interface Call {
  readonly ts: string
  readonly identity: string
  readonly action: string
  readonly user_agent: string | null
  readonly session: string
  readonly label_note: string
}

const callsOf = async (path: string): Promise<readonly Call[]> => {
  const calls: Call[] = []
  for await (const line of createInterface({ input: createReadStream(path).pipe(createGunzip()) }))
    if (line !== '') calls.push(JSON.parse(line) as Call)
  return calls
}

const bySession = <T extends { readonly session: string }>(calls: readonly T[]): Map<string, T[]> => {
  const sessions = new Map<string, T[]>()
  for (const call of calls) {
    const known = sessions.get(call.session)
    if (known === undefined) sessions.set(call.session, [call])
    else known.push(call)
  }
  return sessions
}

const BENIGN = 'benign'

/** The foreign sessions in the places of hijacked and resisting ones, spread over the file: who, when and with what client stay. */
const inPlacesOf = (places: readonly Call[], foreign: readonly (readonly Call[])[]): readonly Call[] => {
  if (places.length < foreign.length) throw new Error(`${places.length} places for ${foreign.length} sessions`)
  return foreign.flatMap((session, i) => {
    const { ts, identity, user_agent } = places[Math.floor((i * places.length) / foreign.length)]!
    const shift = Date.parse(ts) - Date.parse(session[0]!.ts)
    return session.map((call) => ({ ...call, ts: new Date(Date.parse(call.ts) + shift).toISOString(), identity, user_agent }))
  })
}

const line = (call: Call): string => `${JSON.stringify({ ...call, label: undefined, label_note: undefined })}\n`

export const tauTable = async (): Promise<Table | null> => {
  const train = sharedData('agentdyn', 'dailylife_replay_seen_train.jsonl.gz')
  const test = sharedData('agentdyn', 'dailylife_replay_seen_test.jsonl.gz')
  const tau = sharedData('tau_bench', 'events.jsonl.gz')
  if (train === null || test === null || tau === null) return null
  const [known, judged, foreign] = [await callsOf(train), await callsOf(test), bySession(await callsOf(tau))]
  const sessions = [...bySession(judged).values()]
  const benign = sessions.filter((calls) => calls.every((c) => c.label_note === BENIGN))
  const places = sessions.filter((calls) => calls.some((c) => c.label_note !== BENIGN)).map(([first]) => first!)
  const tools = new Set([...known, ...benign.flat()].map((c) => c.action))
  const shared = [...foreign.values()].flat().filter((c) => tools.has(c.action)).length
  const mixed = [...benign.flat(), ...inPlacesOf(places, [...foreign.values()])].sort((a, b) => Date.parse(a.ts) - Date.parse(b.ts))
  const path = join(CACHE, `tau-${hashOf(test, tau)}.jsonl`)
  writeFileSync(path, mixed.map(line).join(''))
  const scored = [...bySession<Scored>((await evaluateVectors(train, path, 'frozen')).rows)]
  if (scored.length !== benign.length + foreign.size) throw new Error(`${scored.length} sessions were scored`)
  const row = (name: string, score: (rows: readonly Scored[], session: string) => number): (string | number)[] => {
    const rated: Rated[] = scored.map(([session, rows]) => ({ score: score(rows, session), swap: foreign.has(session) }))
    const { found, area } = recallOf(rated)
    const [low, high] = bootstrap(found)
    return [name, area, `${mean(found).toFixed(3)} (${low.toFixed(2)}–${high.toFixed(2)})`]
  }
  return {
    title: 'Role swap without a shared tool (tau_bench as agentdyn)',
    columns: ['detector', 'AUROC', 'session recall at 5 % (95 %)'],
    rows: [
      row('perfect', (_, session) => (foreign.has(session) ? 1 : 0)),
      ...DETECTORS.map(([name, score]) => row(name, score)),
      row('random', (_, session) => Number.parseInt(hashOf(session).slice(0, 8), 16)),
      row('null (all equal)', () => 0),
    ],
    notes: [
      `A check rather than a comparison: ${foreign.size} sessions of an airline's customer service under the names and clients of personal assistants, at times of their hijacked and resisting sessions, which are left out, against their ${benign.length} benign sessions; ${shared} foreign calls use a tool of the assistants. Baselines frozen after the benign sessions of the training file.`,
    ],
  }
}
