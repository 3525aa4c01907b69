import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildRelease } from '@plumbline/training'
import { FEATURE_COUNT } from '@plumbline/schemas'
import { DAY, feature, HOUR, MINUTE, Rig, START } from '../../packages/detector/src/rig.testkit.ts'

/** Two roles with the same four tools, each in its own order. */
const ROLES = {
  sales: ['crm.search', 'crm.read', 'mail.send', 'crm.note'],
  support: ['crm.search', 'crm.note', 'crm.read', 'mail.send'],
} as const
type RoleName = keyof typeof ROLES
const MEMBERS = 4
const whoIs = (role: RoleName, i: number): string => `${role}-bot-${i}`

const session = (rig: Rig, who: string, group: RoleName, work: RoleName, name: string, at: number, acts = 12): number[] =>
  Array.from({ length: acts }, (_, i) => {
    const cycle = ROLES[work]
    const row = rig.act({ who, peerGroup: group, session: name, at: at + i * MINUTE, action: cycle[i % cycle.length]! })
    return feature(row!, 'role_swap')
  })

const live = (rig: Rig, from: number, days: number): number => {
  for (let day = from; day < from + days; day++)
    for (const role of ['sales', 'support'] as const)
      for (let i = 0; i < MEMBERS; i++)
        for (const hour of [9, 14]) session(rig, whoIs(role, i), role, role, `d${day}-${hour}`, START + day * DAY + hour * HOUR + i)
  return from + days
}

/** Statistics of the groups as they are now, put into use. */
const release = async (rig: Rig, sequence: number): Promise<void> => {
  const tenant = rig.detector.tenantsOf(0).get('default')!
  const rows = new Float32Array(FEATURE_COUNT * 30)
  const { id, sha256, bytes } = await buildRelease({
    tenant: 'default',
    sequence,
    rows,
    alerted: new Uint8Array(30),
    groups: new Uint32Array(30),
    eventsPerDay: 200,
    slots: (Object.keys(ROLES) as RoleName[]).flatMap((role) => Array.from({ length: MEMBERS }, (_, i) => rig.slot(whoIs(role, i))!)),
    groupNames: tenant.groupNames,
    config: rig.config,
    seed: 0,
    createdFrom: { positions: {}, events: 500, fromTime: START, toTime: START + 5 * DAY },
    withModel: false,
  })
  rig.release({ id, sha256, bytes })
}

test('a session that is another group’s work is told by its order, act by act, though every act of it is usual for both', async () => {
  const rig = new Rig()
  let day = live(rig, 0, 5)
  await release(rig, 1)
  day = live(rig, day, 2)
  const at = START + day * DAY
  const honest = session(rig, whoIs('sales', 0), 'sales', 'sales', 'honest', at + 9 * HOUR)
  assert.ok(Math.max(...honest) < 1, `${Math.max(...honest)}`)
  const swap = session(rig, whoIs('sales', 1), 'sales', 'support', 'swap', at + 9 * HOUR)
  assert.ok(swap.at(-1)! > 8, `${swap.at(-1)}`)
  assert.ok(swap.at(-1)! > swap[5]! && swap[5]! > swap[2]!, 'it adds up over the session')
  const again = session(rig, whoIs('sales', 1), 'sales', 'sales', 'own work again', at + 14 * HOUR)
  assert.ok(Math.max(...again) < 2, `${Math.max(...again)}`)
})

test('what a session is held against is kept with the identity, and forgotten when a release numbers the groups anew', async () => {
  const rig = new Rig()
  let day = live(rig, 0, 5)
  await release(rig, 1)
  day = live(rig, day, 1)
  const at = START + day * DAY + 9 * HOUR
  const who = whoIs('support', 2)
  const before = session(rig, who, 'support', 'sales', 'swap', at, 8)
  rig.restart()
  const [next] = session(rig, who, 'support', 'sales', 'swap', at + 8 * MINUTE, 1)
  assert.ok(next! > before.at(-1)! - 1 && before.at(-1)! > 3, `${before.at(-1)} then ${next}`)
  await release(rig, 2)
  const [fresh] = session(rig, who, 'support', 'sales', 'swap', at + 9 * MINUTE, 1)
  assert.ok(fresh! < 2, `${fresh}`)
})

test('without a second group there is nothing to be held against', () => {
  const rig = new Rig()
  live(rig, 0, 2)
  assert.ok(rig.rows.every((row) => feature(row, 'role_swap') === 0))
})
