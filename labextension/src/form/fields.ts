import { fields, text, texts, type Fields } from '../reading';

export type Written = string | boolean;

/** One question of a form, from one property of a JSON Schema. */
export interface IField {
  readonly name: string;
  readonly kind: 'text' | 'integer' | 'number' | 'boolean' | 'choice' | 'list' | 'json' | 'long';
  readonly label: string;
  readonly help: string;
  readonly unit: string;
  /** May stay empty, which says null. */
  readonly optional: boolean;
  /** Must be answered: there is no default. */
  readonly required: boolean;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
  /** What may be meant by the text: DatasetRef, BundleId, ... */
  readonly format: string;
  /** One of the further questions, which most people leave as they are. */
  readonly more: boolean;
  readonly initial: Written;
}

/** Filled in by whatever runs the notebook, never by a person. */
const NOT_ASKED = new Set(['run_id']);

/** The questions of a schema of typed parameters, in its order. */
export function fieldsOf(schema: Fields): IField[] {
  const required = new Set(texts(schema.required));
  return Object.entries(fields(schema.properties))
    .filter(([name]) => !NOT_ASKED.has(name))
    .map(([name, property]) => fieldOf(name, fields(property), required.has(name)));
}

function fieldOf(name: string, property: Fields, required: boolean): IField {
  const kinds = Array.isArray(property.anyOf) ? property.anyOf.map(fields) : [property];
  const plain = kinds.filter(kind => kind.type !== 'null');
  const one = plain.length === 1 ? (plain[0] ?? {}) : {};
  const kind = kindOf(one);
  const choices = Array.isArray(one.enum) ? one.enum.map(text) : [];
  const labels = texts(one.labels);
  return {
    name,
    kind,
    label: text(property.title) || name,
    help: text(property.description),
    unit: text(property.unit),
    optional: plain.length < kinds.length,
    required,
    minimum: bound(one.minimum) ?? bound(one.exclusiveMinimum),
    maximum: bound(one.maximum) ?? bound(one.exclusiveMaximum),
    choices: choices.map((value, at) => ({ value, label: labels[at] ?? value })),
    format: text(property.format) || text(one.format),
    more: property.more === true,
    initial: written(property.default, kind)
  };
}

const bound = (value: unknown) => (typeof value === 'number' ? value : null);

function kindOf(one: Fields): IField['kind'] {
  if (Array.isArray(one.enum)) {
    return 'choice';
  }
  switch (one.type) {
    case 'integer':
    case 'number':
    case 'boolean':
      return one.type;
    case 'string':
      return one.format === 'long' ? 'long' : 'text';
    case 'array':
      return fields(one.items).type === 'string' ? 'list' : 'json';
    default:
      return 'json';
  }
}

/** A value as it stands in a field. */
export function written(value: unknown, kind: IField['kind']): Written {
  if (kind === 'boolean') {
    return value === true;
  }
  if (value === null || value === undefined) {
    return '';
  }
  if (kind === 'list') {
    return texts(value).join(', ');
  }
  return kind === 'json' ? JSON.stringify(value) : text(value);
}

/** What was written, as a value; or what is wrong with it. The server judges again, and more strictly. */
export function valueOf(field: IField, said: Written): { value: unknown } | { problem: string } {
  if (typeof said === 'boolean') {
    return { value: said };
  }
  const trimmed = said.trim();
  if (trimmed === '') {
    if (field.optional) {
      return { value: null };
    }
    if (field.required || field.kind === 'integer' || field.kind === 'number' || field.kind === 'choice') {
      return { problem: `${field.label} is empty. Write ${asked(field)}.` };
    }
  }
  switch (field.kind) {
    case 'integer':
    case 'number':
      return numberOf(field, trimmed);
    case 'list':
      return { value: trimmed.split(',').map(part => part.trim()).filter(part => part !== '') };
    case 'json':
      try {
        return { value: trimmed === '' ? null : (JSON.parse(trimmed) as unknown) };
      } catch {
        return { problem: `${field.label} is no JSON. Write a value such as {"key": 1} or [1, 2].` };
      }
    default:
      return { value: field.kind === 'long' ? said : trimmed };
  }
}

const asked = (field: IField) =>
  field.kind === 'integer' ? 'a whole number' : field.kind === 'number' ? 'a number' : field.help || 'a value';

function numberOf(field: IField, said: string): { value: unknown } | { problem: string } {
  const value = Number(said);
  const low = field.minimum ?? -Infinity;
  const high = field.maximum ?? Infinity;
  if (!Number.isFinite(value) || (field.kind === 'integer' && !Number.isInteger(value))) {
    return { problem: `${field.label} is ${said}. Write ${asked(field)}.` };
  }
  if (value < low || value > high) {
    const range = high === Infinity ? `at least ${low}` : low === -Infinity ? `at most ${high}` : `${low} to ${high}`;
    return { problem: `${field.label} is ${said}. Write ${asked(field)}, ${range}.` };
  }
  return { value };
}

/** Answers by name, without those that were left at their default; or what is wrong, by name. */
export function valuesOf(
  questions: readonly IField[],
  said: Readonly<Record<string, Written>>,
  all = false
): { values: Record<string, unknown>; problems: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of questions) {
    const now = said[field.name] ?? field.initial;
    const found = valueOf(field, now);
    if ('problem' in found) {
      problems[field.name] = found.problem;
    } else if (all || field.required || now !== field.initial) {
      values[field.name] = found.value;
    }
  }
  return { values, problems };
}
