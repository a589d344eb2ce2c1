import { formatPattern, isLabel } from './language/formats.ts'
import { LanguageError } from './language/language-error.ts'
import { takeLengthBound } from './language/length-bound.ts'
import type { Pattern } from './language/pattern.ts'
import { readPattern } from './language/read-pattern.ts'
import { StringLanguage } from './language/string-language.ts'
import { WorkBudget } from './language/terms.ts'
import type { Rule } from './rule.ts'
import { schemaError } from './schema-error.ts'
import {
  at,
  isObject,
  listOf,
  readCounts,
  type Json,
  type Place,
  type Schema,
} from './schema-keywords.ts'

/** Schemas in an `allOf`. */
const ALL_OF_MAX = 16
/** What they may say. None of it speaks of anything but strings, so beside other types they change nothing. */
const INSIDE_ALL_OF: ReadonlySet<string> = new Set(['pattern', 'format', 'minLength', 'maxLength'])

/** What one schema, or one of its `allOf`, says of a string. */
interface Conditions {
  readonly place: Place
  readonly pattern: string | undefined
  readonly format: string | undefined
  readonly encoding: string | undefined
  readonly min: number
  readonly max: number
}

/** Reads what schemas say of strings. All automata of one reader together may take a bounded amount of work. */
export class StringRules {
  readonly #budget = new WorkBudget()
  /** By what they are made from, of any length: the same strings come again and again in a schema. */
  readonly #known = new Map<string, StringLanguage>()

  /** @throws ApiError invalid_request naming the place. */
  read(schema: Schema, place: Place): Rule {
    const all = [readOne(schema, place), ...readAllOf(schema, place)]
    const min = Math.max(...all.map((one) => one.min))
    const max = Math.min(...all.map((one) => one.max))
    const sources = all.map(({ pattern, format, encoding }) => [pattern, format, encoding])
    if (sources.flat().every((source) => source === undefined)) {
      if (min > max) throw schemaError(place.path, 'no length is within the bounds')
      return { kind: 'string', min, max }
    }
    return { kind: 'language', language: this.#language(all, [min, max], place) }
  }

  #language(
    all: readonly Conditions[],
    [min, max]: readonly [number, number],
    place: Place,
  ): StringLanguage {
    const explained = all.some(({ pattern }) => pattern !== undefined)
    const read = all.flatMap((one) => [readOnePattern(one), readFormat(one, explained)])
    const bounded = read.filter((pattern) => pattern !== undefined).map(takeLengthBound)
    const patterns = bounded.map(({ pattern }) => pattern)
    const most = Math.min(max, ...bounded.map(({ charactersMax }) => charactersMax))
    const key = JSON.stringify([min, all.map(({ pattern, format }) => [pattern, format])])
    return orRefuse(place, () => {
      const language = this.#known.get(key) ?? StringLanguage.of(patterns, min, this.#budget)
      this.#known.set(key, language)
      return language.atMost(most)
    })
  }
}

function readOne(schema: Schema, place: Place): Conditions {
  const text = (keyword: string): string | undefined => {
    const value = schema[keyword]
    if (value === undefined || typeof value === 'string') return value
    throw schemaError(at(place, keyword).path, 'must be a string')
  }
  const [min, max] = readCounts(schema, 'minLength', 'maxLength', place)
  const encoding = text('contentEncoding')
  return { place, pattern: text('pattern'), format: text('format'), encoding, min, max }
}

function readAllOf(schema: Schema, place: Place): Conditions[] {
  if (schema.allOf === undefined) return []
  const inside = (part: Json, index: number): Conditions => {
    const partPlace = at(place, 'allOf', index)
    if (!isObject(part)) throw schemaError(partPlace.path, 'must be a schema')
    const sameType = part.type === 'string' && schema.type === 'string'
    const other = Object.keys(part).find(
      (keyword) => !INSIDE_ALL_OF.has(keyword) && !(keyword === 'type' && sameType),
    )
    if (other === undefined) return readOne(part, partPlace)
    throw schemaError(at(partPlace, other).path, 'keyword is not enforced inside allOf, found')
  }
  return listOf(schema.allOf, at(place, 'allOf'), ALL_OF_MAX).map(inside)
}

function readOnePattern({ pattern, place }: Conditions): Pattern | undefined {
  return pattern === undefined
    ? undefined
    : orRefuse(at(place, 'pattern'), () => readPattern(pattern))
}

/** A name without a meaning in JSON Schema, or an encoding, says nothing of its own where a pattern explains it. */
function readFormat(
  { format, encoding, place }: Conditions,
  explained: boolean,
): Pattern | undefined {
  if (encoding !== undefined && !explained) {
    throw schemaError(at(place, 'contentEncoding').path, 'needs a pattern beside it')
  }
  const pattern = format === undefined ? undefined : formatPattern(format)
  if (format !== undefined && pattern === undefined && !(explained && isLabel(format))) {
    throw schemaError(at(place, 'format').path, 'is not enforced here: the format')
  }
  return pattern
}

function orRefuse<T>(place: Place, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof LanguageError) throw schemaError(place.path, error.message)
    throw error
  }
}
