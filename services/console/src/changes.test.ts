import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChangePage, type ChangeView, PlumblineError } from '@plumbline/schemas'
import fc from 'fast-check'
import { AUTH, start } from './console.testkit.ts'
import { decodeChangeCursor, encodeChangeCursor } from './cursor.ts'

const view = (i: number): ChangeView => ({
  tenant: 'default',
  id: `run-${i}`,
  what: { tools: '*' },
  scope: { all: true },
  from: 1000,
  until: 2000,
  reason: 'New tools',
  by: 'jane',
  state: 'over',
  announcedAt: 10_000 - i,
  actor: 'deploy key ci',
})

test('announced changes come in pages; each says where the next begins, the last that it is the last', async (t) => {
  const all = Array.from({ length: 5 }, (_, i) => view(i))
  const { app } = await start(t, {
    changes: {
      page: (_filter, after, limit) => {
        const begin = after === null ? 0 : all.findIndex(({ id }) => id === after.id) + 1
        return all.slice(begin, begin + limit)
      },
    },
  })
  const seen: string[][] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const url = `/v1/changes?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`
    const page: ChangePage = ChangePage.parse((await app.inject({ url, headers: AUTH })).json())
    seen.push(page.changes.map(({ id }) => id))
    cursor = page.cursor
  }
  assert.deepEqual(seen, [['run-0', 'run-1'], ['run-2', 'run-3'], ['run-4']])
})

test('what cannot be asked of the announced changes is refused by the name of the field, never its value', async (t) => {
  const asked: unknown[] = []
  const { app } = await start(t, { changes: { page: (filter) => (asked.push(filter), []) } })
  const long = 'x'.repeat(2000)
  for (const [query, code, words] of [
    ['limit=0', 'REQUEST_INVALID', /query\.limit/],
    ['limit=501', 'REQUEST_INVALID', /query\.limit/],
    ['limit=many', 'REQUEST_INVALID', /query\.limit/],
    ['state=active%3Cscript%3E', 'REQUEST_INVALID', /query\.state/],
    ['tenant=', 'REQUEST_INVALID', /query\.tenant/],
    [`tenant=${long}`, 'REQUEST_INVALID', /query\.tenant/],
    ['tenant=a&tenant=b', 'REQUEST_INVALID', /query\.tenant/],
    [`identity=${long}`, 'REQUEST_INVALID', /query\.identity/],
    [`peerGroup=${long}`, 'REQUEST_INVALID', /query\.peerGroup/],
    [`cursor=${long}`, 'REQUEST_INVALID', /query\.cursor/],
    ['signature=1', 'REQUEST_INVALID', /signature/],
    ['cursor=', 'CURSOR_INVALID', /cursor/],
    ['cursor=%7Bx', 'CURSOR_INVALID', /cursor/],
  ] as const) {
    const answer = await app.inject({ url: `/v1/changes?${query}`, headers: AUTH })
    const { code: given, message, remedy } = answer.json<{ code: string; message: string; remedy: string }>()
    assert.deepEqual([answer.statusCode, given], [400, code], query)
    assert.match(message, words)
    assert.ok(remedy !== '' && !message.includes('xxx') && !message.includes('script'), message)
  }
  assert.deepEqual(asked, [], 'nothing was looked up for those refused')
})

test('any text is refused or accepted as a place among the changes, never an error of ours', () => {
  const place = fc.tuple(fc.oneof(fc.integer(), fc.double()), fc.string({ maxLength: 140 }), fc.string({ maxLength: 140 }))
  const anyText = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.oneof(place, fc.json(), fc.constant({ __proto__: null })).map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
  )
  fc.assert(
    fc.property(anyText, (text) => {
      try {
        const key = decodeChangeCursor(text)
        assert.deepEqual(decodeChangeCursor(encodeChangeCursor(key)), key)
      } catch (error) {
        assert.ok(error instanceof PlumblineError && error.code === 'CURSOR_INVALID')
      }
    }),
    { seed: 2 },
  )
})
