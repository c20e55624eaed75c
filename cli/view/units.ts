/** Figures for people: three digits that say something. */

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${BYTE_UNITS[unit]}`
}

/** `4 ms`, `1.3 s`, `2 min`, `3 h`, `5 d`. */
export function durationText(milliseconds: number): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 99_500) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  if (ms < 5_970_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 259_200_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

export function shareText(share: number): string {
  return `${Math.round(share * 100)}%`
}

/** Of a moment, the time of day, UTC; its day, too, if that is another one than today. */
export function momentText(microseconds: number, now: number): string {
  const text = new Date(microseconds / 1000).toISOString()
  const today = new Date(now / 1000).toISOString().slice(0, 10)
  return text.startsWith(today) ? text.slice(11, 23) : text.slice(0, 19).replace('T', ' ')
}
