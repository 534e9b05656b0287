export type { ServerLimits } from "./limits.js";
export { createLogger, type LogFields, type LogLevel, type ServerLogger } from "./logging.js";
export type { SeglogServer } from "./seglog-server.js";
export { serve } from "./serve.js";
export type { ServeOptions } from "./serve-options.js";
export type { TlsFiles } from "./tls-files.js";
