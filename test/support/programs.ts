import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** Where `npm test` keeps what it has built for its tests; see built-package.ts. */
export const builtPackageVariable = 'HUSHD_TEST_PACKAGE';

/** A program by its name: of the package as it is published where the run has built one, else of the checkout. */
export const programPath = (name: string): string =>
  join(process.env[builtPackageVariable] ?? checkout, 'bin', `${name}.js`);
