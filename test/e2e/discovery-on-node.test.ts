import { discoverySuite } from './discovery-suite.ts'

discoverySuite('node')
