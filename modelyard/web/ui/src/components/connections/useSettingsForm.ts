import { useMemo, useState } from "react";
import type { Settings } from "../../api/connections";
import {
  fieldsOf,
  initialValues,
  type FormValues,
  problemsOf,
  type SettingField,
  settingErrors,
  settingsOf,
} from "../../lib/settingsSchema";

export interface SettingsForm {
  fields: readonly SettingField[];
  values: FormValues;
  errors: Readonly<Record<string, string>>;
  removed: ReadonlySet<string>;
  change: (values: FormValues) => void;
  remove: (key: string, removed: boolean) => void;
  /** What is to be sent; null, with the errors at their fields, where something is wrong. */
  read: () => Settings | null;
  /** Shows the server's complaints at their fields. */
  refuse: (errors: Readonly<Record<string, string>>) => void;
  /** Whether these settings are others than those that it began with. */
  isChanged: (settings: Settings) => boolean;
}

/** The state of a form that a schema has made. */
export function useSettingsForm(schema: Settings, stored: Settings, kept: ReadonlySet<string>): SettingsForm {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  const [began] = useState(() => initialValues(fields, stored));
  const [before] = useState(stored);
  const [values, setValues] = useState(began);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [removed, setRemoved] = useState<ReadonlySet<string>>(new Set());
  return {
    fields,
    values,
    errors,
    removed,
    change: (next) => {
      const changed = Object.keys(next).filter((name) => next[name] !== values[name]);
      const isOf = (key: string) => changed.some((name) => key === name || key.startsWith(`${name}.`));
      setErrors((now) => Object.fromEntries(Object.entries(now).filter(([key]) => !isOf(key))));
      setValues(next);
    },
    remove: (key, isRemoved) =>
      setRemoved((now) => new Set(isRemoved ? [...now, key] : [...now].filter((other) => other !== key))),
    read: () => {
      const problems = problemsOf(fields, values, kept);
      setErrors(problems);
      return Object.keys(problems).length > 0 ? null : settingsOf(fields, values, before, removed);
    },
    refuse: (refused) => setErrors(settingErrors(fields, refused)),
    isChanged: (settings) => JSON.stringify(settings) !== JSON.stringify(settingsOf(fields, began, before)),
  };
}
