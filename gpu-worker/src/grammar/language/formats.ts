import type { Pattern } from './pattern.ts'
import { readPattern } from './read-pattern.ts'

const HEX = '[0-9A-Fa-f]'
const YEAR_DAY = date()
const TIME =
  '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)'
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
/** The last part of a name is no number, so that the name is not taken for an address. */
const LAST_LABEL = '[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const NAME = `(?:${LABEL}\\.)*${LAST_LABEL}`
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `(?:${BYTE}\\.){3}${BYTE}`
const IPV6 = ipv6()
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"

/**
 * The formats that an answer can be held to. Each text is one of the format as its standard has it; where that leaves
 * much open, the language here is the narrower one that most readers take.
 */
const FORMATS: Readonly<Record<string, string>> = {
  // RFC 3339, without leap seconds; letters in upper case.
  date: YEAR_DAY,
  time: TIME,
  'date-time': `${YEAR_DAY}T${TIME}`,
  duration: duration(),
  // RFC 5321: a dot-string at a name of two parts or more.
  email: `(?=.{1,254}$)(?=[^@]{1,64}@)${ATOM}(?:\\.${ATOM})*@(?:${LABEL}\\.)+${LAST_LABEL}`,
  hostname: `(?=.{1,253}$)${NAME}`,
  ipv4: IPV4,
  ipv6: IPV6,
  uuid: `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`,
  uri: uri(),
}

/** What JSON Schema (2020-12) defines beyond them: a name that has a meaning, which is not enforced here. */
const NOT_ENFORCED = new Set([
  'idn-email',
  'idn-hostname',
  'uri-reference',
  'iri',
  'iri-reference',
  'uri-template',
  'json-pointer',
  'relative-json-pointer',
  'regex',
])

const known = new Map<string, Pattern>()

/** The pattern of a format's strings; undefined if it is not enforced. */
export function formatPattern(name: string): Pattern | undefined {
  const source = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (source === undefined) return undefined
  const pattern = known.get(name) ?? readPattern(`^${source}$`)
  known.set(name, pattern)
  return pattern
}

/** Whether JSON Schema gives the name no meaning, so that it says nothing of its own beside a pattern. */
export function isLabel(name: string): boolean {
  return !Object.hasOwn(FORMATS, name) && !NOT_ENFORCED.has(name)
}

/** Days that exist, by the Gregorian calendar. */
function date(): string {
  const long = '(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])'
  const short = '(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)'
  const february = '02-(?:0[1-9]|1\\d|2[0-8])'
  const fours = '0[48]|[2468][048]|[13579][26]'
  const leapYear = `(?:\\d\\d(?:${fours})|(?:00|${fours})00)`
  return `(?:\\d{4}-(?:${long}|${short}|${february})|${leapYear}-02-29)`
}

/** RFC 3339, appendix A: units in order, none left out between two. */
function duration(): string {
  const time = 'T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S)'
  const day = '(?:\\d+Y(?:\\d+M(?:\\d+D)?)?|\\d+M(?:\\d+D)?|\\d+D)'
  return `P(?:\\d+W|${day}(?:${time})?|${time})`
}

/** RFC 4291, without a dotted end: eight groups, or fewer with one gap. */
function ipv6(): string {
  const group = `${HEX}{1,4}`
  const groups = (most: number): string =>
    most === 0 ? '' : `(?:${group}(?::${group}){0,${most - 1}})?`
  const gaps = Array.from({ length: 8 }, (_, before) => {
    const start = before === 0 ? '' : `${group}(?::${group}){${before - 1}}`
    return `${start}::${groups(7 - before)}`
  })
  return `(?:${group}(?::${group}){7}|${gaps.join('|')})`
}

/**
 * RFC 3986 with a scheme. Without a host only where it cannot be http, ws, ftp or file, which must have one. No part of a
 * host begins as Punycode does, which the web's own parser decodes.
 */
function uri(): string {
  const sign = "%[0-9A-Fa-f]{2}|[A-Za-z0-9._~!$&'()*+,;=:@-]"
  const port = ':(?:\\d{1,4}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])'
  const part = '(?![Xx][Nn]--)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?'
  const name = `(?:${part}\\.)*(?=[A-Za-z])${part}`
  const host = `(?:${name}|${IPV4}|\\[${IPV6}\\])`
  const withHost = `//${host}(?:${port})?(?:/(?:${sign}|/)*)?`
  const end = `(?:\\?(?:${sign}|[/?])*)?(?:#(?:${sign}|[/?])*)?`
  const other = `[A-EGI-VX-Za-egi-vx-z][A-Za-z0-9+.-]*:(?:${sign})(?:${sign}|/)*`
  return `(?:[A-Za-z][A-Za-z0-9+.-]*:${withHost}|${other})${end}`
}
