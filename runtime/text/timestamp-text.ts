/** Timestamps as ISO 8601 text, exact to the microsecond. */
import { bad, shown } from './bad-value.ts'

const PATTERN = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?(?:(Z)|([+-])(\d\d)(?::?(\d\d))?))?$/i

/**
 * Microseconds since 1970 of `2026-01-31T12:30:00.123456Z`; also with an offset (`+02:00`), a space for the T, or a
 * date alone (midnight UTC). Refused: a time without Z or offset, which means another instant in each time zone, and
 * more than six digits of fraction unless the rest is zeros.
 */
export function parseTimestamp(text: string): bigint {
  const match = PATTERN.exec(text)
  if (match === null) return refuse(text)
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', , sign, offsetHour = '0', offsetMinute = '0'] = match
  const y = Number(year)
  const mo = Number(month)
  const d = Number(day)
  const h = Number(hour)
  const mi = Number(minute)
  const s = Number(second)
  const oh = Number(offsetHour)
  const om = Number(offsetMinute)
  if (mo < 1 || mo > 12 || d < 1 || d > daysOf(y, mo) || h > 23 || mi > 59 || s > 59 || oh > 23 || om > 59) {
    bad(`there is no time ${shown(text)}`)
  }
  let micros = 0
  if (fraction !== '') {
    if (fraction.length > 6 && !/^0*$/.test(fraction.slice(6))) bad(`${shown(text)} is finer than a microsecond`)
    micros = Number(fraction.slice(0, 6).padEnd(6, '0'))
  }
  const date = new Date(0)
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(y, mo - 1, d)
  date.setUTCHours(h, mi - (sign === '-' ? -1 : 1) * (oh * 60 + om), s)
  const milliseconds = date.getTime()
  if (Number.isNaN(milliseconds)) bad(`${shown(text)} is out of range`)
  return BigInt(milliseconds) * 1000n + BigInt(micros)
}

function refuse(text: string): never {
  if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text) && PATTERN.test(`${text}Z`)) bad(`the time ${shown(text)} has neither Z nor an offset`)
  return bad(`${shown(JSON.stringify(text))} is not a timestamp such as 2026-01-31T12:30:00.123456Z`)
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
