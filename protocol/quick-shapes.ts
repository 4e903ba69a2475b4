/** Whether a value has some shape. */
export type Check = (value: unknown) => boolean;

/** A text of some length in UTF-16 units, that matches the pattern if there is one. */
export const isText =
  (least: number, most: number, pattern?: RegExp): Check =>
  (value) =>
    typeof value === 'string' &&
    value.length >= least &&
    value.length <= most &&
    (pattern === undefined || pattern.test(value));

/** An array of so many items of one shape. */
export const arrayOf =
  (check: Check, least = 0, most = Infinity): Check =>
  (value) =>
    Array.isArray(value) && value.length >= least && value.length <= most && value.every(check);

/** A plain object, whatever it holds. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** An object with all of the required fields, any of the optional ones, and nothing else. */
export function exactly(
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  // Maps have no `constructor`, and a look-up in one makes nothing.
  const checks = new Map(Object.entries({ ...required, ...optional }));
  const wanted = Object.keys(required);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    let found = 0;
    for (const key in value) {
      const field: unknown = value[key as keyof typeof value];
      if (key in optional && field === undefined) continue;
      if (checks.get(key)?.(field) !== true) return false;
      if (key in required) found += 1;
    }
    return found === wanted.length;
  };
}
