import { eventKey, type LogRecord } from '@plumbline/detector'
import { type Corpus, eventBytes } from '../lib/corpus.ts'

/** Name of the copy of an identity in company `c`: the same length for every company, so that events are equally long. */
export const copyName = (identity: string, c: number): string => `${identity}~${String(c).padStart(3, '0')}`

/** Event i of the corpus as it happened in company c: the same bytes but for the identity's name. */
const copyOf = (corpus: Corpus, i: number, c: number): Buffer => {
  const line = eventBytes(corpus, i).toString('utf8')
  const identity = corpus.identities[corpus.identityOf[i]!]!
  return Buffer.from(line.replace(`"identity":{"id":"${identity}"`, `"identity":{"id":"${copyName(identity, c)}"`))
}

export const copyRecord = (corpus: Corpus, i: number, c: number, offset: number): LogRecord => ({
  offset,
  ingestTimeMs: corpus.times[i]!,
  key: eventKey('default', copyName(corpus.identities[corpus.identityOf[i]!]!, c)),
  value: copyOf(corpus, i, c),
})
