import { Fieldset, Stack, Text } from "@mantine/core";
import type { SettingField, FormValue, FormValues } from "../../lib/settingsSchema";
import { keyOf, nameOf } from "../../lib/settingsSchema";
import { PlainSetting } from "./PlainSetting";
import { SecretSetting } from "./SecretSetting";

interface SettingsFieldsProps {
  fields: readonly SettingField[];
  values: FormValues;
  errors: Readonly<Record<string, string>>;
  onChange: (values: FormValues) => void;
  secrets: SecretsState;
}

/** Which secrets are stored, and which of these are to be removed. */
export interface SecretsState {
  kept: ReadonlySet<string>;
  removed: ReadonlySet<string>;
  onRemove: (key: string, removed: boolean) => void;
}

/** What is chosen among few is hidden by no dots. */
const CHOSEN: ReadonlySet<string> = new Set(["truth", "choice", "choices"]);

/** The form of a provider's settings, whatever its schema holds. */
export function SettingsFields({ fields, values, errors, onChange, secrets }: SettingsFieldsProps) {
  return fields.map((field) => {
    const name = nameOf(field);
    const value = values[name] ?? "";
    const change = (next: FormValue) => onChange({ ...values, [name]: next });
    if (field.kind === "group") {
      return (
        <Fieldset key={name} legend={field.label}>
          <Stack>
            {field.help && (
              <Text size="xs" c="dimmed">
                {field.help}
              </Text>
            )}
            {errors[keyOf(field)] !== undefined && (
              <Text size="xs" c="var(--mantine-color-error)" role="alert">
                {errors[keyOf(field)]}
              </Text>
            )}
            <SettingsFields
              fields={field.fields}
              values={typeof value === "object" && !Array.isArray(value) ? value : {}}
              errors={errors}
              onChange={change}
              secrets={secrets}
            />
          </Stack>
        </Fieldset>
      );
    }
    const props = { field, value, error: errors[keyOf(field)], onChange: change };
    return field.secret && !CHOSEN.has(field.kind) ? (
      <SecretSetting key={name} {...props} secrets={secrets} />
    ) : (
      <PlainSetting key={name} {...props} />
    );
  });
}
