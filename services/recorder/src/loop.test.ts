import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LaneRecorder } from './lane.ts'
import { startLoop } from './loop.ts'

/** A lane of which others' entries pass by: its position goes up with each look, and it stores nothing. */
const passing = () => {
  let position = 0
  const marks: number[] = []
  const lane: LaneRecorder = {
    topic: 'incidents',
    lane: 0,
    position: () => position,
    marked: () => marks.at(-1) === position,
    resume: async () => {},
    step: async () => {
      position++
      return 0
    },
    mark: async () => void marks.push(position),
    skipTo: async () => {},
  }
  const loop = startLoop(lane, {
    maxBackoffMs: 10,
    acceptGaps: false,
    onGap() {},
    onRows() {},
    onProgress() {},
    onError: ({ message }) => assert.fail(message),
    lingerMs: () => 0,
    behind: () => false,
    onIdle: async () => {},
    dueMs: () => null,
  })
  return { loop, marks, position: () => position }
}

test('ClickHouse is told of what passes by at a pace, and of the end when the lane is left', async () => {
  const { loop, marks, position } = passing()
  for (const until = performance.now() + 5_000; performance.now() < until; await sleep(5)) loop.wake()
  assert.ok(position() > 100, `${position()} looks`)
  assert.ok(marks.length >= 1 && marks.length <= 2, `${marks.length} marks in 5 s`)
  await loop.stop()
  assert.equal(marks.at(-1), position())
})
