/** One event of an event stream, after its blank line. */
export interface ServerSentEvent {
  /** `message` unless the stream names it. */
  readonly event: string
  readonly data: string
  /** The latest id the stream has given, which may be an earlier event's; empty before the first. */
  readonly lastEventId: string
}

/** Characters of one event or line before its end is seen: what a broken server can make us hold. */
const EVENT_CHARACTERS_MAX = 1024 * 1024

const LINE_END = /\r\n|\n|\r/g

/**
 * Parser of `text/event-stream` (WHATWG HTML, section 9.2.6 "Interpreting an event stream"): bytes in, in chunks cut
 * anywhere, whole events out. An event that the stream's end cuts off is never given out.
 */
export class EventStreamParser {
  // Without `ignoreBOM` it drops the byte order mark that a stream may begin with.
  readonly #utf8 = new TextDecoder()
  #line = ''
  /** The chunk before ended in CR: a LF that comes first now belongs to it. */
  #afterReturn = false
  #data: string[] = []
  #characters = 0
  #event = ''
  #lastEventId = ''
  #retryMs: number | undefined

  /** What the stream asks to wait before a reconnection. */
  get retryMs(): number | undefined {
    return this.#retryMs
  }

  /** @throws RangeError if an event is longer than any of this API can be. */
  push(chunk: Uint8Array): ServerSentEvent[] {
    let text = this.#utf8.decode(chunk, { stream: true })
    if (text === '') return []
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1)
    this.#afterReturn = chunk.at(-1) === 0x0d

    const events: ServerSentEvent[] = []
    let start = 0
    for (const end of text.matchAll(LINE_END)) {
      const event = this.#take(this.#line + text.slice(start, end.index))
      if (event !== undefined) events.push(event)
      this.#line = ''
      start = end.index + end[0].length
    }
    this.#line += text.slice(start)
    this.#assertBounded()
    return events
  }

  #assertBounded(): void {
    if (this.#line.length + this.#characters > EVENT_CHARACTERS_MAX) {
      throw new RangeError(`an event is longer than ${EVENT_CHARACTERS_MAX} characters`)
    }
  }

  /** Takes one line, without its end; gives the event that a blank one closes. */
  #take(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return undefined // a comment
    const field = colon === -1 ? line : line.slice(0, colon)
    const after = colon === -1 ? '' : line.slice(colon + 1)
    this.#set(field, after.startsWith(' ') ? after.slice(1) : after)
    return undefined
  }

  #set(field: string, value: string): void {
    switch (field) {
      case 'data':
        this.#data.push(value)
        this.#characters += value.length + 1
        return
      case 'event':
        this.#event = value
        return
      case 'id':
        if (!value.includes('\0')) this.#lastEventId = value
        return
      case 'retry':
        if (/^\d+$/.test(value)) this.#retryMs = Number(value)
        return
      default: // a field of a later standard
    }
  }

  #dispatch(): ServerSentEvent | undefined {
    const data = this.#data
    const event = this.#event || 'message'
    this.#data = []
    this.#characters = 0
    this.#event = ''
    if (data.length === 0) return undefined
    return { event, data: data.join('\n'), lastEventId: this.#lastEventId }
  }
}
