import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFull } from '@plumbline/detector'
import { generateNdjson } from '@plumbline/generator'
import { eventBytes, indexCorpus } from '../lib/corpus.ts'
import { withFallbacks } from './fallback.ts'

test('the other spellings are the same events, and about as many as asked for', () => {
  const chunks: Buffer[] = []
  generateNdjson({ seed: 3, identities: 20, days: 1, attacks: 'none' }, (chunk) => chunks.push(chunk))
  const corpus = indexCorpus(Buffer.concat(chunks))
  const { bytesOf, share } = withFallbacks(corpus, 0.1)
  assert.ok(share > 0.05 && share < 0.15, `${share}`)
  let others = 0
  for (let i = 0; i < Math.min(500, corpus.count); i++) {
    const [plain, spelt] = [eventBytes(corpus, i), bytesOf(i)]
    if (!plain.equals(spelt)) others++
    const [a, b] = [decodeFull(plain), decodeFull(spelt)]
    assert.ok(a.ok && b.ok)
    const { attributes: _, ...rest } = b.event
    assert.deepEqual(rest, a.event)
  }
  assert.ok(others > 0)
})
