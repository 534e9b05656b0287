/**
 * Most keys of one stream that follows. Each takes memory of the server for as long as the stream
 * lasts, and what one call takes has to be bounded; who follows more does so by several streams.
 */
export const MAX_FOLLOWED_KEYS = 10_000;
