import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Act, MINUTE, Rig, work } from '../rig.testkit.ts'

/** What a counterfactual claims is held against a run in which it is so. */

const HR: Omit<Act, 'at'> = { class: 'hr', action: 'hr.read', sensitivity: 3, bytesIn: 30_000, session: 'x' }
const DENY = { rules: [{ id: 'no-hr', identities: '*', effect: 'deny' as const, classes: ['hr'] }] }

const readHr = (options: { readonly usual?: boolean; readonly denied?: boolean; readonly act?: Partial<Act> }): Rig => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  const end = work(rig, 14, 30, options.usual === true ? { ...HR, session: 'y' } : {})
  rig.strict()
  if (options.denied === true) rig.policy(DENY)
  rig.act({ at: end + MINUTE, ...HR, ...options.act })
  return rig
}

test('one condition is claimed where it alone keeps the event quiet, and there it does', () => {
  const [alert] = readHr({}).alerts
  assert.equal(alert?.counterfactual, 'It would have stayed quiet had this much use of HR been usual for it and its peers.')
  assert.deepEqual(readHr({ usual: true }).alerts, [])
})

test('what a rule forbids alerts however usual; what else is odd about it is needed too', () => {
  const [alert] = readHr({ denied: true, act: { bytesIn: 5e7 } }).alerts
  assert.match(
    alert?.counterfactual ?? '',
    /^It would have stayed quiet had rule no-hr allowed it, had the amounts been usual, like .* and had what was done in this session been usual here; the first of these alone would not have been enough\.$/,
  )
  assert.equal(readHr({}).alerts.length, 1, 'the rule alone is not enough')
  assert.deepEqual(readHr({ act: { action: 'crm.read', bytesIn: 2000 } }).alerts, [], 'all three are')
  assert.equal(readHr({ usual: true, denied: true }).alerts[0]?.counterfactual, 'It would have stayed quiet had rule no-hr allowed it.')
})

test('telling what would have kept an alert quiet leaves what is scored next as it is', () => {
  const rows = (withAlert: boolean): unknown[] => {
    const rig = new Rig({ config: { tailFloor: 0 } })
    const end = work(rig, 14)
    rig.strict(true)
    rig.act({ at: end, who: 'other' })
    if (withAlert) rig.policy(DENY)
    const from = rig.rows.length
    rig.act({ at: end + MINUTE, ...HR, who: 'third' })
    for (let i = 2; i < 8; i++) rig.act({ at: end + i * MINUTE })
    return rig.rows.slice(from + 1).map(({ score, reconstruction, surprise }) => [score, reconstruction, surprise])
  }
  assert.deepEqual(rows(true), rows(false))
})
