import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Act, DAY, feature, MINUTE, Rig, type Row, START, strictRelease } from '../rig.testkit.ts'

/** An instance whose tenant is known: a release tells how many events everyone had. */
const knownTenant = (): Rig => {
  const rig = new Rig()
  rig.release(
    strictRelease(rig.config, false, {
      createdFrom: { positions: {}, events: 1000, identities: 10, fromTime: START - DAY, toTime: START },
    }),
  )
  return rig
}

let sessions = 0
const send = (rig: Rig, at: number, destination: string, more: Partial<Act> = {}): Row =>
  rig.act({
    at,
    session: `s${++sessions}`,
    action: 'mail.send',
    class: 'messaging',
    destination,
    destinationProvenance: 'user',
    ...more,
  })!

const lured = (row: Row): number => feature(row, 'destination_lured')
const origins = (row: Row): number => feature(row, 'arguments_own')
const from = (user: number, tool: number, nowhere = 0): Partial<Act> => ({
  content: { argumentsFromUser: user, argumentsFromTool: tool, argumentsNew: nowhere },
})

test('only a destination that nobody knows and that a tool result named lures', () => {
  const rig = knownTenant()
  const day = START + DAY
  for (let i = 0; i < 20; i++) send(rig, START + i * MINUTE, `c${i % 4}.example`)
  assert.ok(lured(send(rig, day, 'x.example', { destinationProvenance: 'tool' })) > 3)
  assert.equal(lured(send(rig, day + MINUTE, 'y.example')), 0, 'the user named it')
  assert.equal(lured(send(rig, day + 2 * MINUTE, 'z.example', { destinationProvenance: 'new' })), 0, 'no tool result named it')
  assert.equal(lured(send(rig, day + 3 * MINUTE, 'c1.example', { destinationProvenance: 'tool' })), 0, 'it is known')
})

test('a link on the site that is being read does not lure; one that leads elsewhere does', () => {
  const rig = knownTenant()
  const read = (at: number, destination: string, destinationProvenance: 'user' | 'tool'): number =>
    lured(rig.act({ at, session: 'reading', action: 'web.fetch', class: 'web', destination, destinationProvenance })!)
  assert.equal(read(START, 'www.site.example', 'user'), 0)
  assert.equal(read(START + MINUTE, 'www.site.example', 'tool'), 0)
  assert.ok(read(START + 2 * MINUTE, 'elsewhere.example', 'tool') > 0)
})

test('who follows what tool results name all day is hardly lured by one more', () => {
  const surprised = [0, 1].map((habit) => {
    const rig = knownTenant()
    for (let i = 0; i < 60; i++)
      send(rig, START + i * MINUTE, habit === 1 ? `w${i}.example` : `c${i % 4}.example`, {
        destinationProvenance: habit === 1 ? 'tool' : 'user',
      })
    return lured(send(rig, START + DAY, 'x.example', { destinationProvenance: 'tool' }))
  })
  assert.ok(surprised[0]! > 4 && surprised[1]! < 1, surprised.join(' '))
})

test('arguments from elsewhere than usual for the class are a surprise; where nobody tells there is none', () => {
  const rig = knownTenant()
  for (let i = 0; i < 40; i++) send(rig, START + i * 30 * MINUTE, `c${i % 4}.example`, from(2, 1, 1))
  const day = START + DAY
  assert.ok(origins(send(rig, day, 'c1.example', from(2, 1, 1))) < 1)
  const planted = origins(send(rig, day + MINUTE, 'c1.example', from(0, 4)))
  assert.ok(planted > 4, `${planted}`)
  const elsewhere = origins(send(rig, day + 2 * MINUTE, 'c1.example', { class: 'files', ...from(2, 1, 1) }))
  assert.ok(elsewhere > 3, `${elsewhere}: usual for messages only`)
  assert.equal(origins(send(rig, day + 3 * MINUTE, 'c1.example')), 0)
})
