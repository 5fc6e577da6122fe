import { sentence } from "./format";

/**
 * A provider's JSON Schema as fields of a form. Any schema gives one: what has no field of its own kind is typed as
 * JSON. `pattern` is left to the server, as it is a regular expression of Python's.
 */
export interface SettingField {
  /** Where its value stands: one name, and a second one within a group. */
  path: readonly string[];
  label: string;
  help: string;
  kind: FieldKind;
  required: boolean;
  /** Whether null is taken. */
  nullable: boolean;
  /** Goes in and never comes out. */
  secret: boolean;
  default: unknown;
  /** What can be chosen; else empty. */
  choices: readonly unknown[];
  /** The fields of a group; else empty. */
  fields: readonly SettingField[];
  limits: Limits;
  format: string;
}

type FieldKind =
  "text" | "paragraph" | "number" | "truth" | "choice" | "choices" | "lines" | "group" | "json";

interface Limits {
  integer: boolean;
  least?: number;
  above?: number;
  most?: number;
  below?: number;
  shortest?: number;
  longest?: number;
  fewestItems?: number;
  mostItems?: number;
}

type Schema = Readonly<Record<string, unknown>>;

/** From here on people paste files: certificates, keys. */
const PARAGRAPH = 1_000;

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const number = (value: unknown) => (typeof value === "number" ? value : undefined);
const text = (value: unknown) => (typeof value === "string" ? value : "");
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The fields of an object, the required ones first, else in the order that `x-order` says: JSON has none. */
export function fieldsOf(schema: Schema, above: readonly string[] = []): SettingField[] {
  const required = list(schema.required);
  const properties = isSchema(schema.properties) ? schema.properties : {};
  const order = list(schema["x-order"]);
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(properties)
    .sort(([a], [b]) => place(a) - place(b))
    .map(([name, property]) =>
      fieldOf([...above, name], isSchema(property) ? property : {}, required.includes(name)),
    )
    .sort((a, b) => Number(b.required) - Number(a.required));
}

function fieldOf(path: readonly string[], schema: Schema, required: boolean): SettingField {
  const types = typeof schema.type === "string" ? [schema.type] : list(schema.type);
  const kind = kindOf(schema, types, path.length);
  return {
    path,
    label: text(schema.title) || sentence(path.at(-1) ?? ""),
    help: text(schema.description),
    kind,
    required,
    nullable: types.includes("null") || list(schema.enum).includes(null),
    secret: schema.writeOnly === true || schema["x-secret"] === true,
    default: schema.default,
    choices: choicesOf(schema).filter((choice) => choice !== null),
    fields: kind === "group" ? fieldsOf(schema, path) : [],
    limits: limitsOf(schema, types),
    format: text(schema.format),
  };
}

function choicesOf(schema: Schema): unknown[] {
  const items = isSchema(schema.items) ? schema.items : {};
  return Array.isArray(schema.enum) ? schema.enum : list(items.enum);
}

function kindOf(schema: Schema, types: readonly unknown[], depth: number): FieldKind {
  const items = isSchema(schema.items) ? schema.items : {};
  const is = (type: string) => types.includes(type);
  if (is("array")) {
    if (choicesOf(schema).length > 0) return "choices";
    return items.type === "string" ? "lines" : "json";
  }
  if (Array.isArray(schema.enum)) return "choice";
  if (is("object")) return isSchema(schema.properties) && depth === 1 ? "group" : "json";
  if (is("boolean")) return is("string") || is("number") ? "json" : "truth";
  if (is("integer") || is("number")) return is("string") ? "json" : "number";
  if (is("string")) return (number(schema.maxLength) ?? 0) >= PARAGRAPH ? "paragraph" : "text";
  return "json";
}

function limitsOf(schema: Schema, types: readonly unknown[]): Limits {
  return {
    integer: types.includes("integer"),
    least: number(schema.minimum),
    above: number(schema.exclusiveMinimum),
    most: number(schema.maximum),
    below: number(schema.exclusiveMaximum),
    shortest: number(schema.minLength),
    longest: number(schema.maxLength),
    fewestItems: number(schema.minItems),
    mostItems: number(schema.maxItems),
  };
}

/** What stands in the inputs. Choices are kept as JSON, so that 1 and "1" differ. */
export type FormValue = string | number | boolean | string[] | FormValues;
export interface FormValues {
  [name: string]: FormValue;
}

export const nameOf = (field: SettingField) => field.path.at(-1) ?? "";
export const keyOf = (field: SettingField) => field.path.join(".");

/** What the form begins with: what is stored, else the defaults. Secrets begin empty, whatever is stored. */
export function initialValues(fields: readonly SettingField[], stored: Schema = {}): FormValues {
  return Object.fromEntries(fields.map((field) => [nameOf(field), initialValue(field, stored)]));
}

function initialValue(field: SettingField, stored: Schema): FormValue {
  const name = nameOf(field);
  const given = Object.hasOwn(stored, name) ? stored[name] : field.default;
  if (field.kind === "group") return initialValues(field.fields, isSchema(given) ? given : {});
  if (field.secret) return field.kind === "truth" ? false : field.kind === "choices" ? [] : "";
  if (field.kind === "truth") return given === true;
  if (field.kind === "choices") return list(given).map((choice) => JSON.stringify(choice));
  if (given === undefined || given === null) return "";
  if (field.kind === "lines") return list(given).join("\n");
  if (field.kind === "choice") return JSON.stringify(given);
  if (field.kind === "json") return JSON.stringify(given, null, 2);
  return typeof given === "number" ? given : String(given);
}

const lines = (value: FormValue) =>
  String(value)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** The value as the server takes it; undefined where nothing is given. */
function read(field: SettingField, value: FormValue): unknown {
  if (field.kind === "truth") return value === true;
  if (field.kind === "choices") return list(value).map((choice) => JSON.parse(String(choice)) as unknown);
  if (field.kind === "lines") return lines(value);
  if (value === "") return undefined;
  if (field.kind === "number") return Number(value);
  if (field.kind === "choice" || field.kind === "json") return JSON.parse(String(value)) as unknown;
  return value;
}

const isEmpty = (value: unknown) =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0);
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/**
 * The settings to send. What is as its default says and was never stored is left out, so that it follows the default
 * of a later version; of the secrets stands in it what was typed, and what is to be `removed`.
 */
export function settingsOf(
  fields: readonly SettingField[],
  values: FormValues,
  stored: Schema = {},
  removed: ReadonlySet<string> = new Set(),
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of fields) {
    const name = nameOf(field);
    const given = removed.has(keyOf(field))
      ? emptySecret(field)
      : valueOf(field, values[name] ?? "", stored, name);
    if (given !== undefined) found[name] = given;
  }
  return found;
}

function valueOf(field: SettingField, value: FormValue, stored: Schema, name: string): unknown {
  const before = stored[name];
  if (field.kind === "group") {
    const inside = settingsOf(field.fields, isSchema(value) ? value : {}, isSchema(before) ? before : {});
    return Object.keys(inside).length > 0 || field.required ? inside : undefined;
  }
  const given = read(field, value);
  if (field.secret) return isEmpty(given) ? undefined : given;
  if (field.required) return given;
  if (given === undefined) return cleared(field);
  if (Object.hasOwn(stored, name)) return given;
  return same(given, field.default) || (isEmpty(given) && isEmpty(field.default ?? undefined))
    ? undefined
    : given;
}

/** An emptied field whose default is something says so; another one is left out. */
function cleared(field: SettingField): unknown {
  if (field.default === undefined || field.default === null || field.default === "") return undefined;
  if (field.nullable) return null;
  return field.kind === "text" || field.kind === "paragraph" ? "" : undefined;
}

/** What removes a stored secret; undefined where nothing does. */
export function emptySecret(field: SettingField): unknown {
  if (!field.secret || field.required) return undefined;
  if (field.nullable) return null;
  return field.default;
}

/** What is wrong with the form before it is sent, by key of the field. Secrets that are `kept` may be left out. */
export function problemsOf(
  fields: readonly SettingField[],
  values: FormValues,
  kept: ReadonlySet<string> = new Set(),
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const field of fields) {
    const value = values[nameOf(field)] ?? "";
    if (field.kind === "group") {
      const inside = isSchema(value) ? value : {};
      const isTouched = !same(inside, initialValues(field.fields));
      if (field.required || isTouched) Object.assign(found, problemsOf(field.fields, inside));
      continue;
    }
    const problem = problemOf(field, value, field.required && !kept.has(keyOf(field)));
    if (problem !== null) found[keyOf(field)] = problem;
  }
  return found;
}

function problemOf(field: SettingField, value: FormValue, required: boolean): string | null {
  let given: unknown;
  try {
    given = read(field, value);
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (Array.isArray(given)) return problemOfList(given, field.limits, required);
  if (given === undefined) return required ? "This is needed." : null;
  if (typeof given === "number") return problemOfNumber(given, field.limits);
  return typeof given === "string" ? problemOfText(given, field.limits) : null;
}

function problemOfNumber(given: number, limits: Limits): string | null {
  const { integer, least, above, most, below } = limits;
  if (!Number.isFinite(given)) return "This is no number.";
  if (integer && !Number.isInteger(given)) return "A whole number.";
  if (least !== undefined && given < least) return `At least ${least}.`;
  if (above !== undefined && given <= above) return `More than ${above}.`;
  if (most !== undefined && given > most) return `At most ${most}.`;
  return below !== undefined && given >= below ? `Less than ${below}.` : null;
}

function problemOfText(given: string, { shortest, longest }: Limits): string | null {
  if (shortest !== undefined && given.length < shortest) return `At least ${shortest} characters.`;
  return longest !== undefined && given.length > longest ? `At most ${longest} characters.` : null;
}

function problemOfList(
  given: readonly unknown[],
  { fewestItems = 0, mostItems }: Limits,
  required: boolean,
): string | null {
  if (given.length === 0) return required ? "This is needed." : null;
  if (given.length < fewestItems) return `At least ${fewestItems}.`;
  return mostItems !== undefined && given.length > mostItems ? `At most ${mostItems}.` : null;
}

/**
 * The server's complaints at their fields: `settings.to.0` is the first line of `to`. What belongs to no field is not
 * in it.
 */
export function settingErrors(
  fields: readonly SettingField[],
  errors: Readonly<Record<string, string>>,
): Record<string, string> {
  const found: Record<string, string> = {};
  const every = fields.flatMap((field) => [field, ...field.fields]);
  for (const [name, said] of Object.entries(errors)) {
    if (!name.startsWith("settings.")) continue;
    const key = name.slice("settings.".length);
    const field = every
      .filter((candidate) => key === keyOf(candidate) || key.startsWith(`${keyOf(candidate)}.`))
      .sort((a, b) => keyOf(b).length - keyOf(a).length)[0];
    if (field === undefined) continue;
    const message = [placeWithin(key.slice(keyOf(field).length + 1), field), said].filter(Boolean).join(" ");
    const before = found[keyOf(field)];
    found[keyOf(field)] = before === undefined ? message : `${before} ${message}`;
  }
  return found;
}

function placeWithin(rest: string, field: SettingField): string {
  if (rest === "") return "";
  return field.kind === "lines" && /^\d+$/.test(rest) ? `Line ${Number(rest) + 1}:` : `${rest}:`;
}
