import { HushError, type ErrorCode } from '../../protocol/errors.ts';
import { storedLine } from '../keys/create.ts';
import type { Dek } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import { openLegacy, parseLegacyForm } from '../keys/legacy-value.ts';
import { parseSealedValue, type Sealer } from '../keys/sealed.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { rowState, type RowSummary, type StoredRow } from '../stores/store.ts';
import { metaFrom, nameFrom, openMeta, sealMeta, sealMetaBytes, type Meta } from './meta.ts';

/** What a row's value is bound to besides its version. */
export type RowName = Pick<Meta, 'scope' | 'name'>;

/** What stands for `dek` in a row whose value no data key seals. */
export const noDek = 0;

/** Gives `length` bytes, whatever they hold; whoever asked wipes them. */
export type Allocate = (length: number) => Uint8Array;

/** What is wrong with one row, and with no other. */
const errorsOfOneRow: ReadonlySet<ErrorCode> = new Set(['INTEGRITY', 'KEY_DESTROYED', 'NEWER_FORMAT']);

/** What a step with one row gives, or its error where that is of this row alone: the others need not suffer from it. */
export function ofItsOwn<Result>(step: () => Result): Result | HushError {
  try {
    return step();
  } catch (error) {
    if (error instanceof HushError && errorsOfOneRow.has(error.code)) return error;
    throw error;
  }
}

/** Opens and seals the rows of a vault's stored secrets. Openings throw INTEGRITY, KEY_DESTROYED, NEWER_FORMAT. */
export interface Rows {
  /** What is told of the secret; its value stays sealed. */
  metaOf(row: RowSummary): Meta;
  /** The row's value, which the caller wipes. */
  valueOf(row: StoredRow, name: RowName, allocate: Allocate): Uint8Array;
  /** A row of a secret under a data key, the current one unless `state` says otherwise. */
  sealed(
    dek: Dek,
    row: Pick<RowSummary, 'id' | 'version'>,
    meta: Meta,
    value: Uint8Array,
    state?: number,
  ): StoredRow;
  /** The row in another state, and with another meta if one is given; under the data key, if it is under another. */
  changed(dek: Dek, row: StoredRow, state: number, meta?: Meta): StoredRow;
  /**
   * The same row under another data key: meta and value stay what they are, byte for byte. `scratch` gives the memory of
   * plaintexts, and `form` that of what is sealed.
   */
  resealed(dek: Dek, row: StoredRow, scratch: Allocate, form: Allocate): StoredRow;
}

/** The rows over an open keyring; `forNames` gives the memory of names on their way through `metaOf`. */
export function createRows(keyring: Keyring, sealer: Sealer, forNames: Allocate): Rows {
  const dekOf = (version: number): Dek => keyring.dek(storedLine.keyring, storedLine.tenant, version);

  function valueOf(row: StoredRow, { scope, name }: RowName, allocate: Allocate): Uint8Array {
    if (row.dek === noDek) {
      const value = parseLegacyForm(row.value);
      return openLegacy(keyring.legacyKey(value.keyVersion), value, allocate(value.plainLength));
    }
    const sealed = parseSealedValue(row.value);
    const place = { part: 'value', scope, name, version: row.version } as const;
    return sealer.openValue(dekOf(sealed.dekVersion), place, sealed, allocate(sealed.plainLength));
  }

  function metaOf(row: RowSummary): Meta {
    const plain = openMeta(sealer, dekOf, row, forNames);
    try {
      return metaFrom(plain);
    } finally {
      wipe(plain);
    }
  }

  function resealed(dek: Dek, row: StoredRow, scratch: Allocate, form?: Allocate): StoredRow {
    const { id, version, state } = row;
    const plain = openMeta(sealer, dekOf, row, scratch);
    let value: Uint8Array | undefined;
    try {
      const { scope, name } = nameFrom(plain);
      value = valueOf(row, { scope, name }, scratch);
      return {
        id,
        version,
        state,
        dek: dek.version,
        meta: sealMetaBytes(sealer, dek, { id, version }, plain, form),
        value: sealer.sealValue(dek, { part: 'value', scope, name, version }, value, form),
      };
    } finally {
      wipe(plain);
      if (value !== undefined) wipe(value);
    }
  }

  return {
    metaOf,
    valueOf,
    sealed(dek, { id, version }, meta, value, state = rowState.current) {
      const { scope, name } = meta;
      return {
        id,
        version,
        state,
        dek: dek.version,
        meta: sealMeta(sealer, dek, { id, version }, meta),
        value: sealer.sealValue(dek, { part: 'value', scope, name, version }, value),
      };
    },
    changed(dek, row, state, meta) {
      const under = row.dek === dek.version ? row : resealed(dek, row, newBytes);
      return { ...under, state, ...(meta === undefined ? {} : { meta: sealMeta(sealer, dek, row, meta) }) };
    },
    resealed,
  };
}
