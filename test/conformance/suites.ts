import { aiSdkSuite } from './ai-sdk-cases.ts'
import type { ConformanceSuite } from './case.ts'
import { fetchSuite } from './fetch-cases.ts'
import { openAiSuite } from './openai-cases.ts'
import { sseSuite } from './sse-cases.ts'

export const SUITES: readonly ConformanceSuite[] = [openAiSuite, aiSdkSuite, sseSuite, fetchSuite]
