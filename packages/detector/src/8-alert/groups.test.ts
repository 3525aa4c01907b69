import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REASON_FAMILIES } from '@plumbline/schemas'
import type { Work } from '../work.ts'
import { groupKey, safeKey } from './groups.ts'

const HOUR = 3_600_000

test('no two families share a group, in whatever hours or sessions that follow each other', () => {
  // A new action: what is usual is one piece of news a day.
  const w = { session: 0, timeMs: 0, newAction: true } as Work
  const seen = new Map<number, string>()
  const claim = (key: number, who: string): void => {
    assert.equal(seen.get(key), undefined, `${who} and ${seen.get(key)}`)
    seen.set(key, who)
  }
  for (const family of REASON_FAMILIES) {
    for (let hour = 490_000; hour < 492_000; hour++) {
      w.timeMs = hour * HOUR
      claim(groupKey(w, family, HOUR), `${family} in hour ${hour}`)
    }
  }
})

test('no two families share what a verdict speaks of', () => {
  const seen = new Set(REASON_FAMILIES.flatMap((family) => Array.from({ length: 1000 }, (_, object) => safeKey(family, object))))
  assert.equal(seen.size, REASON_FAMILIES.length * 1000)
})
