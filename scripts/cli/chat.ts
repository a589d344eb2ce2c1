import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { text as readAll } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  createSetblock,
  SetblockError,
  type Answer,
  type Chat,
  type Setblock,
} from '@setblock/client'
import { CHAT_USAGE, parseChatOptions, type ChatOptions } from './chat-options.ts'
import { CliError, type Command } from './command.ts'
import { interruptible } from './interrupt.ts'
import { dim, LiveAnswer } from './live-answer.ts'
import { readScreen } from './screen.ts'

const screen = () => readScreen(process.stdout, process.env)

/** `npx setblock chat`: a conversation in the terminal. */
export const chat: Command = { usage: CHAT_USAGE, run }

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130

async function run(args: readonly string[]): Promise<number> {
  const options = await parseChatOptions(args, process.env)
  try {
    const client = connect(options)
    const model = options.model ?? (await firstModel(client))
    const { system, settings } = options
    const messages = system === undefined ? [] : [{ role: 'system' as const, content: system }]
    const conversation = client.chat({ model, messages, ...settings })
    if (options.message === undefined && process.stdin.isTTY && process.stdout.isTTY) {
      process.stderr.write(dim(`${model} at ${options.url}. Ctrl-C ends.\n`, screen()))
      return await converse(conversation, options)
    }
    const message = options.message ?? (await readAll(process.stdin)).trim()
    if (message === '') throw new CliError('nothing to ask: give a message')
    return (await answer(conversation, message, options)) === undefined ? INTERRUPTED : 0
  } catch (error) {
    throw explain(error)
  }
}

function connect({ url, key }: ChatOptions): Setblock {
  try {
    return createSetblock({ baseUrl: url, apiKey: key })
  } catch {
    throw new CliError(`--url must be a URL, not ${url}`)
  }
}

async function firstModel(client: Setblock): Promise<string> {
  const [first] = await client.models()
  if (first === undefined) throw new CliError('the API lists no model')
  return first.id
}

/** Question and answer until Ctrl-C or the end of the input. A failed answer is told, and the next one may be asked. */
async function converse(conversation: Chat, options: ChatOptions): Promise<number> {
  const history: string[] = []
  for (;;) {
    const message = await ask(history)
    if (message === undefined) return 0
    if (message === '') continue
    history.unshift(message)
    try {
      await answer(conversation, message, options)
    } catch (error) {
      process.stderr.write(`setblock: ${explain(error).message}\n`)
    }
  }
}

/** A line from the person; undefined at Ctrl-C or Ctrl-D. */
async function ask(history: string[]): Promise<string | undefined> {
  const { stdin: input, stdout: output } = process
  const lines = createInterface({ input, output, history: [...history] })
  const closed = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)))
  lines.once('SIGINT', () => lines.close())
  const line = await Promise.race([lines.question('> '), closed])
  if (line === undefined) output.write('\n')
  else lines.close()
  return line?.trim()
}

/** @returns undefined if it was interrupted. */
function answer(
  conversation: Chat,
  message: string,
  options: ChatOptions,
): Promise<Answer | undefined> {
  const live = process.stdout.isTTY
  return interruptible(async (signal) => {
    const startedMs = performance.now()
    const stream = conversation.send(message, {}, { signal })
    const drawing = new LiveAnswer(screen)
    const pace = createPace(options.replaySpeed, signal)
    for await (const event of stream) {
      if (event.type === 'reveal') await pace()
      if (signal.aborted) break
      if (live) process.stdout.write(drawing.draw(event))
      else if (event.type === 'text') process.stdout.write(event.delta)
    }
    process.stdout.write(live ? drawing.close() : '\n')
    if (signal.aborted) return undefined
    const whole = await stream.answer
    if (live) process.stderr.write(dim(summary(whole, performance.now() - startedMs), screen()))
    return whole
  })
}

/** Waits so that it resolves at most `speed` times a second. */
function createPace(speed: number | undefined, signal: AbortSignal): () => Promise<void> {
  let nextMs = performance.now()
  return async () => {
    if (speed === undefined) return
    const waitMs = nextMs - performance.now()
    nextMs = Math.max(nextMs, performance.now()) + 1000 / speed
    // An abort ends the wait, and the loop that waits sees it.
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined)
  }
}

function summary({ usage, finish_reason: finishReason }: Answer, ms: number): string {
  const {
    completion_tokens: tokens,
    forward_passes_details: passes,
    tokens_per_forward: rate,
  } = usage
  const cut = finishReason === 'length' ? ', cut at its greatest length' : ''
  return `${tokens} tokens, ${passes.decode} forwards, ${rate.toFixed(2)} tokens a forward, ${(ms / 1000).toFixed(2)} s${cut}\n`
}

/** Failures of the API as a line; anything else is a fault of ours and stays what it is. */
function explain(error: unknown): Error {
  if (!(error instanceof SetblockError)) return error as Error
  const { message, requestId } = error
  return new CliError(requestId === undefined ? message : `${message} (request ${requestId})`)
}
