import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usageLine } from '../../gpu-worker/src/server/usage-line.ts'
import type { BuildRequest } from '../../gpu-worker/src/model-builder/build-model.ts'
import type { SourceOptions } from '../../gpu-worker/src/model-builder/source.ts'
import { isTarget, TARGETS, type Target } from '../../gpu-worker/src/model-builder/targets.ts'
import { CliError } from './command.ts'

const DEFAULT_TARGET = 'cpu-int8'

export const BUILD_USAGE = `npx setblock build FOLDER [--out FOLDER] [--target TARGET ...] [options]

Turns a Hugging Face folder (Llama 2 and 3, Qwen2, Qwen2.5 or Qwen3; safetensors) into a model folder that the worker serves.

  --out FOLDER              the model folder to write                       (FOLDER itself)
  --target TARGET           ${Object.keys(TARGETS).join(', ')};
                            several are allowed                             (${DEFAULT_TARGET})
  --id ID                   the model's name in the API                     (name of the written folder)
  --name NAME               its name for people                             (the id)
  --context N               tokens of prompt and answer together            (the model's, at most 8192)
  --block-length N          tokens guessed at once, at most, where a request does not say  (8)
  --mask-token TOKEN        text or id of the token that stands for "not known yet", such as a reserved one
  --add-mask-token          adds such a token where the tokenizer has none
  --stop-token TOKEN        text or id of one more token that ends an answer; several are allowed
  --license TEXT            written into the manifest
  --help

A file setblock.source.json in FOLDER, as our training writes one, says the same things; options go before it.
A build that was interrupted goes on where it stopped when the same command is given again.`

const FLAGS = {
  out: { type: 'string' },
  target: { type: 'string', multiple: true },
  id: { type: 'string' },
  name: { type: 'string' },
  context: { type: 'string' },
  'block-length': { type: 'string' },
  'mask-token': { type: 'string' },
  'add-mask-token': { type: 'boolean' },
  'stop-token': { type: 'string', multiple: true },
  license: { type: 'string' },
} as const satisfies ParseArgsConfig['options']

export type BuildOptions = Pick<BuildRequest, 'folder' | 'targets'> & {
  readonly out: string
  readonly source: SourceOptions
}

/** @throws CliError naming what is missing or wrong. */
export function parseBuildOptions(args: readonly string[]): BuildOptions {
  const { values, positionals } = parseFlags(args)
  const [folder, ...others] = positionals
  if (folder === undefined || others.length > 0) {
    throw new CliError('build: give one folder. See npx setblock build --help')
  }
  return {
    folder,
    out: values.out ?? folder,
    targets: targets(values.target ?? [DEFAULT_TARGET]),
    source: definedOnly({
      id: values.id,
      name: values.name,
      contextLength: readCount('--context', values.context),
      blockLength: readCount('--block-length', values['block-length']),
      maskToken: values['mask-token'],
      addMaskToken: values['add-mask-token'],
      stopTokens: values['stop-token'],
      license: values.license,
    }),
  }
}

function targets(names: readonly string[]): Target[] {
  return [...new Set(names)].map((name) => {
    if (isTarget(name)) return name
    const known = Object.keys(TARGETS).join(', ')
    throw new CliError(`--target ${name}: there is no such target (there are ${known})`)
  })
}

function readCount(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new CliError(`${option} must be a positive whole number, not ${text}`)
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> }

function definedOnly<T extends object>(values: T): Partial<Defined<T>> {
  const defined = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(defined) as Partial<Defined<T>>
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: true })
  } catch (error) {
    throw new CliError(`${usageLine(error)} See npx setblock build --help`)
  }
}
