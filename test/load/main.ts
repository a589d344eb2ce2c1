/**
 * `npm run load`: requests at a rate that does not wait for answers, against an edge. With `--find-knee` the rate rises
 * until goodput stops following, and `--rate 2x` then shows what is left of it beyond. The last line is JSON; with a
 * stack of its own the result is saved beside the benches'.
 */
import { bundledModel } from '../eval/provenance.ts'
import { saveAndPrint, stamp } from '../bench/results-file.ts'
import { findKnee } from './knee.ts'
import { readOptions, USAGE, type LoadOptions } from './options.ts'
import { runPhase, type Target } from './phase.ts'
import { printGroups, printPhase, PHASE_HEADER } from './report.ts'
import { startLoadedStack } from './stack.ts'
import type { PhaseSummary } from './tally.ts'
import { MIX, readPrompts } from './workload.ts'

/** Of a phase, and shorter of a step towards the knee. */
const WARM_UP_SECONDS = 3
const STEP = { seconds: 4, warmUpSeconds: 1 }

const print = (text: string): void => void process.stdout.write(`${text}\n`)

async function main(options: LoadOptions): Promise<void> {
  const stamped = { ...stamp(), seed: options.seed }
  const prompts = await readPrompts()
  const own = options.url === undefined ? await startOwn(options) : undefined
  try {
    const target = own ?? { url: options.url!, key: options.key!, model: options.model }
    const result = await measure(target, options, prompts)
    const { workers, queueWaitMs, slo } = options
    const server = own ? { workers, queueWaitMs } : {}
    const whole = { ...stamped, ...server, slo, mix: MIX, ...result }
    if (own === undefined) print(JSON.stringify(whole))
    else await saveAndPrint('load', whole)
  } finally {
    await own?.stop()
  }
}

function startOwn({ workers, queueWaitMs }: LoadOptions) {
  const env = { SETBLOCK_QUEUE_WAIT_MS: String(queueWaitMs) }
  return startLoadedStack({ workers, modelFolder: bundledModel, env })
}

async function measure(target: Target, options: LoadOptions, prompts: readonly string[]) {
  const { seed, slo, seconds } = options
  const phase = async (
    rate: number,
    span: { seconds: number; warmUpSeconds: number },
  ): Promise<PhaseSummary> => {
    const summary = await runPhase(target, { rate, seed, slo, prompts, mix: MIX, ...span })
    print(printPhase(summary))
    return summary
  }
  // Loads tokenizer and code paths; nobody measures a service by its first request.
  await runPhase(target, { rate: 4, seed, slo, prompts, mix: MIX, seconds: 1, warmUpSeconds: 1 })
  const steps: PhaseSummary[] = []
  print(PHASE_HEADER)
  const step = async (rate: number): Promise<PhaseSummary> => {
    const summary = await phase(rate, STEP)
    steps.push(summary)
    return summary
  }
  const knee = options.findKnee ? await findKnee(step) : null
  if (knee !== null) print(`knee: ${knee} requests a second`)
  const rates = [...options.rates, ...options.multiples.map((times) => times * (knee ?? 0))]
  const phases: PhaseSummary[] = []
  for (const rate of rates.filter((each) => each > 0)) {
    phases.push(await phase(Number(rate.toFixed(2)), { seconds, warmUpSeconds: WARM_UP_SECONDS }))
  }
  for (const summary of phases) print(printGroups(summary))
  return { knee, steps, phases }
}

try {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options === 'help') print(USAGE)
  else await main(options)
} catch (error) {
  process.stderr.write(`load: ${(error as Error).message}\n`)
  process.exitCode = 1
}
