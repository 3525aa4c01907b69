import { type Corpus, eventBytes } from '../lib/corpus.ts'
import { random } from '../lib/numbers.ts'

/** Ways in which senders write the same event so that the fast scanner hands it to the full decoder: white space, an escape, text beyond ASCII. */
const SPELLINGS: readonly ((line: string) => string)[] = [
  (line) => line.replaceAll('":', '": ').replaceAll(',"', ', "'),
  (line) => line.replace(/"action":"(.)/, (_all, letter: string) => `"action":"\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`),
  (line) => line.replace('{', '{"attributes":{"team":"Größe 42"},'),
]

/** The corpus with a share of its events written in ways only the full decoder reads. */
export const withFallbacks = (corpus: Corpus, share: number): { readonly bytesOf: (i: number) => Buffer; readonly share: number } => {
  const next = random(5)
  const how = Int8Array.from({ length: corpus.count }, () => (next() < share ? Math.floor(next() * SPELLINGS.length) : -1))
  const changed = how.reduce((n, h) => n + (h >= 0 ? 1 : 0), 0)
  return {
    share: changed / corpus.count,
    bytesOf: (i) => {
      const bytes = eventBytes(corpus, i)
      return how[i]! < 0 ? bytes : Buffer.from(SPELLINGS[how[i]!]!(bytes.toString('utf8')))
    },
  }
}
