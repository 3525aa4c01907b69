import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, feature, HOUR, MINUTE, Rig, START, type Row } from '../rig.testkit.ts'

/** Office days: an event each half hour from nine to seventeen, on the days given, counted from START, a Monday. */
const office = (rig: Rig, days: readonly number[]): void => {
  for (const day of days) for (let i = 0; i < 16; i++) rig.act({ at: START + day * DAY + i * 30 * MINUTE })
}
const own = (row: Row | undefined): number => feature(row!, 'hour_own')
const hour = (day: number, ofDay: number): number => START + day * DAY + (ofDay - 9) * HOUR

test('a weekday that has not come yet is no odd one: what is known of its kind speaks', () => {
  const rig = new Rig()
  office(rig, [2, 3])
  assert.equal(own(rig.act({ at: hour(4, 11) })), 0, 'the first Friday, at a usual hour')
  assert.equal(own(rig.act({ at: hour(5, 11) })), 0, 'the first Saturday: nothing is known of weekends')
})

test('the same hour at night grows odder the longer the days are known, and is usual again once it recurs', () => {
  const nights = [4, 9, 16].map((weekdays) => {
    const rig = new Rig()
    office(
      rig,
      Array.from({ length: weekdays }, (_, i) => i + 2 * Math.floor(i / 5)),
    )
    const day = weekdays + 2 * Math.floor(weekdays / 5)
    return own(rig.act({ at: hour(day, 3) }))
  })
  assert.ok(nights[0]! > 1 && nights[1]! > nights[0]! && nights[2]! > nights[1]!, nights.join(' '))
  const rig = new Rig()
  for (let day = 0; day < 14; day++) {
    office(rig, [day])
    if (day % 3 === 1) rig.act({ at: hour(day, 26) })
  }
  const again = own(rig.act({ at: hour(14, 27) }))
  assert.ok(again < nights[2]! / 2, `${again} after five such nights`)
})

test('weekends are held against weekends, once there were some', () => {
  const rig = new Rig()
  office(rig, [0, 1, 2, 3, 4, 7, 8, 9, 10, 11])
  const saturday = own(rig.act({ at: hour(12, 11) }))
  const monday = own(rig.act({ at: hour(14, 11) }))
  assert.ok(saturday > 1.5 && monday === 0, `${saturday} ${monday}`)
})
