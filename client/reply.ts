import { z } from 'zod';

/** The shape of an error that the daemon tells. */
export const errorReport = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().exactOptional(),
  retryAfterMs: z.number().exactOptional(),
  limit: z.string().exactOptional(),
  approval: z.string().exactOptional(),
});

/** A reply that tells an error: of one call, or with the id null of the whole connection. */
export const errorReply = z.object({ id: z.number().int().nullable(), error: errorReport });
