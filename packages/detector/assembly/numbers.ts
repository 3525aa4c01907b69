/** Numbers and times of an event. */
import { COLON, NUMBERS, POINT, QUOTE, TIME, TIME_MAX, TIME_MIN } from './layout'

/** What `digits` read last. */
let digitsValue: f64 = 0

export function number(field: i32, max: f64, fraction: bool, p: usize): usize {
  const end = digits(fraction, p)
  if (end == 0 || !(digitsValue <= max)) return 0
  store<f64>(NUMBERS + (<usize>field << 3), digitsValue)
  return end
}

/** Up to 15 digits, optionally with a fraction: value = digits / 10^k is then correctly rounded. */
export function digits(fraction: bool, start: usize): usize {
  let p = start
  let whole: i64 = 0
  let c: u32 = load<u8>(p)
  while (c - 48 <= 9) {
    whole = whole * 10 + (c - 48)
    c = load<u8>(++p)
  }
  let count = <i32>(p - start)
  if (count == 0 || count > 15 || (load<u8>(start) == 48 && count > 1)) return 0
  digitsValue = <f64>whole
  if (c == POINT) {
    if (!fraction) return 0
    const point = p
    let power: i64 = 1
    c = load<u8>(++p)
    while (c - 48 <= 9) {
      if (++count > 15) return 0
      whole = whole * 10 + (c - 48)
      power *= 10
      c = load<u8>(++p)
    }
    if (p - point == 1) return 0
    digitsValue = <f64>whole / <f64>power
  }
  return c == 101 || c == 69 ? 0 : p
}

export function time(p: usize): usize {
  if (load<u8>(p) == QUOTE) return isoTime(p + 1)
  const end = number(TIME, TIME_MAX, false, p)
  return end != 0 && load<f64>(NUMBERS + (TIME << 3)) >= <f64>TIME_MIN ? end : 0
}

/** One and two decimal digits; far below 0 when they are none. */
// @ts-ignore: decorator
@inline
export function one(p: usize): i32 {
  const d = <i32>load<u8>(p) - 48
  return d >= 0 && d <= 9 ? d : -1000000
}
// @ts-ignore: decorator
@inline
function two(p: usize): i32 {
  return one(p) * 10 + one(p + 1)
}

/** `YYYY-MM-DDTHH:MM:SS[.mmm]Z`; other forms of RFC 3339 go to the full decoder. */
function isoTime(s: usize): usize {
  const long = load<u8>(s, 19) == POINT
  const z = s + (long ? 23 : 19)
  if (load<u8>(z) != 90 || load<u8>(z, 1) != QUOTE) return 0
  if (load<u8>(s, 4) != 45 || load<u8>(s, 7) != 45 || load<u8>(s, 10) != 84 || load<u8>(s, 13) != COLON || load<u8>(s, 16) != COLON) return 0
  const year = two(s) * 100 + two(s + 2)
  const month = two(s + 5)
  const day = two(s + 8)
  const hour = two(s + 11)
  const minute = two(s + 14)
  const second = two(s + 17)
  const milli = long ? one(s + 20) * 100 + two(s + 21) : 0
  if (year < 2000 || year >= 2100 || month < 1 || month > 12 || day < 1 || milli < 0) return 0
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return 0
  // 2000 to 2099: every fourth year is a leap year.
  const leap = (year & 3) == 0
  if (day > daysIn(month, leap)) return 0
  const years = year - 2000
  let days = years * 365 + ((years + 3) >> 2) + day - 1
  for (let m = 1; m < month; m++) days += daysIn(m, leap)
  store<f64>(NUMBERS + (TIME << 3), <f64>(TIME_MIN + <i64>days * 86400000 + <i64>(hour * 3600000 + minute * 60000 + second * 1000 + milli)))
  return z + 2
}

function daysIn(month: i32, leap: bool): i32 {
  if (month == 2) return leap ? 29 : 28
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
}
