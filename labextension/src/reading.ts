/** From `unknown` to what a page can show: a field that is not as promised becomes empty, never an exception. */

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; none if it is something else. */
export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** A text; numbers are written out, all else is ''. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

export function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function countOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** What is in a list, each read; entries that are no objects at all are left out. */
export function many<T>(value: unknown, read: (one: Fields) => T): T[] {
  if (!Array.isArray(value)) {
    return [];
  }
  return value.filter(one => typeof one === 'object' && one !== null).map(one => read(fields(one)));
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(text).filter(one => one !== '') : [];
}

/** Something that may be absent. */
export function maybe<T>(value: unknown, read: (one: Fields) => T): T | null {
  return typeof value === 'object' && value !== null ? read(fields(value)) : null;
}
