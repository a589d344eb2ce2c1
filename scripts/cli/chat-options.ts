import path from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usageLine } from '../../gpu-worker/src/server/usage-line.ts'
import type { GammaPreset, GenerateSettings, Mode } from '@setblock/client'
import { readSecrets, statePaths } from '../start/state.ts'
import { isThisMachine } from './this-machine.ts'
import { CliError } from './command.ts'

export interface ChatOptions {
  readonly url: string
  readonly key: string
  /** Default: the first one that the API lists. */
  readonly model: string | undefined
  readonly system: string | undefined
  readonly settings: Omit<GenerateSettings, 'model'>
  /** Forward passes to show in a second; without bound if absent. */
  readonly replaySpeed: number | undefined
  /** The one question to ask; without it there is a conversation. */
  readonly message: string | undefined
}

export const CHAT_USAGE = `npx setblock chat [options] [message]

Tokens appear at their place when they are revealed, coloured by forward pass; a hole is a token that is not known yet.
With a message, or when the input or the output is no terminal, one question is answered.

  --url URL            the API                       (SETBLOCK_URL, http://127.0.0.1:8787)
  --key KEY            an API key                    (SETBLOCK_KEY, or the demo key of npm start on this machine)
  --model MODEL        which one                     (the first one listed)
  --mode MODE          verified, sbd or ntp          (the model's default)
  --gamma GAMMA        nats, or low, balanced, high; selects sbd
  --block-length N     tokens guessed at once, at most
  --temperature T      0 to 2                        (0)
  --seed N             draws the same answer again
  --max-tokens N       length of an answer
  --system TEXT        a system message
  --replay-speed N     shows at most N forward passes a second
  --state FOLDER       of npm start, which holds the demo key  (.setblock)
  --help

Ctrl-C ends the answer, or else the conversation.`

const FLAGS = {
  url: { type: 'string' },
  key: { type: 'string' },
  model: { type: 'string' },
  mode: { type: 'string' },
  gamma: { type: 'string' },
  'block-length': { type: 'string' },
  temperature: { type: 'string' },
  seed: { type: 'string' },
  'max-tokens': { type: 'string' },
  system: { type: 'string' },
  'replay-speed': { type: 'string' },
  state: { type: 'string' },
} as const satisfies ParseArgsConfig['options']

const PRESETS: readonly GammaPreset[] = ['low', 'balanced', 'high']

/**
 * Reads the command line, then the environment. What a field may be is the API's to say, so that its word is the only one.
 * @throws CliError naming the option at fault.
 */
export async function parseChatOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<ChatOptions> {
  const { values, positionals } = parseFlags(args)
  const url = values.url ?? env.SETBLOCK_URL ?? 'http://127.0.0.1:8787'
  const key = values.key ?? env.SETBLOCK_KEY ?? (await readDemoKey(url, values.state))
  if (key === undefined || key === '') throw new CliError('no key: give --key, or set SETBLOCK_KEY')
  const replaySpeed = readNumber('--replay-speed', values['replay-speed'])
  if (replaySpeed !== undefined && replaySpeed <= 0) {
    throw new CliError('--replay-speed must be above 0')
  }
  const settings = {
    mode: values.mode as Mode | undefined,
    gamma: readGamma(values.gamma),
    block_length: readNumber('--block-length', values['block-length']),
    temperature: readNumber('--temperature', values.temperature),
    seed: readNumber('--seed', values.seed),
    max_tokens: readNumber('--max-tokens', values['max-tokens']),
  }
  return {
    url,
    key,
    model: values.model,
    system: values.system,
    settings: given(settings),
    replaySpeed,
    message: positionals.length > 0 ? positionals.join(' ') : undefined,
  }
}

/** The demo key is for the edge of this machine, and is sent to no other. */
async function readDemoKey(url: string, stateFolder = '.setblock'): Promise<string | undefined> {
  if (!isThisMachine(url)) return undefined
  const secrets = await readSecrets(statePaths(path.resolve(stateFolder)).secrets)
  return secrets?.demoKey
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: true })
  } catch (error) {
    throw new CliError(`${usageLine(error)} See npx setblock chat --help`)
  }
}

function readGamma(text: string | undefined): number | GammaPreset | undefined {
  const preset = PRESETS.find((each) => each === text)
  return preset ?? readNumber('--gamma', text, `a number or ${PRESETS.join(', ')}`)
}

function readNumber(name: string, text: string | undefined, what = 'a number') {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new CliError(`${name} must be ${what}, not ${text}`)
  }
  return value
}

/** Without the fields that are undefined: an absent field is the server's to choose. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
