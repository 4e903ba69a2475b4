/** The few parts of better-sqlite3-multiple-ciphers that hushd uses; its `exports` hide the types that it ships. */
declare module 'better-sqlite3-multiple-ciphers' {
  namespace Database {
    interface Statement<Parameters extends unknown[], Result = unknown> {
      run(...parameters: Parameters): { readonly changes: number };
      get(...parameters: Parameters): Result | undefined;
      all(...parameters: Parameters): Result[];
      /** Rows as arrays of their columns from here on. */
      raw(): this;
      /** Rows as their first column from here on. */
      pluck(): this;
    }

    interface Transaction<Parameters extends unknown[]> {
      (...parameters: Parameters): void;
      /** Takes the write lock at once. */
      immediate(...parameters: Parameters): void;
    }

    interface Database {
      readonly inTransaction: boolean;
      prepare<Parameters extends unknown[], Result = unknown>(source: string): Statement<Parameters, Result>;
      transaction<Parameters extends unknown[]>(
        body: (...parameters: Parameters) => void,
      ): Transaction<Parameters>;
      exec(source: string): this;
      /** Reads the key from this very memory; returns SQLite's result code. */
      key(key: Buffer): number;
      pragma(source: string): unknown;
      close(): this;
    }
  }

  class SqliteError extends Error {
    readonly code: string;
  }

  interface DatabaseConstructor {
    new (path: string, options?: { fileMustExist?: boolean; timeout?: number }): Database.Database;
    readonly SqliteError: typeof SqliteError;
  }

  const Database: DatabaseConstructor;
  export = Database;
}
