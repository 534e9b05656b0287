export type { ServerLimits } from "./limits.js";
export { type SeglogServer, serve } from "./serve.js";
export type { ServeOptions } from "./serve-options.js";
