/**
 * ONNX Runtime reports its use to its maker unless it is told not to. To be imported before it, and in
 * the main thread before a thread is started that loads it: native code sees only the main thread's
 * environment.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
