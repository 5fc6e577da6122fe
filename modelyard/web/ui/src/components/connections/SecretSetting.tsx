import { Checkbox, PasswordInput, Stack, Textarea } from "@mantine/core";
import { emptySecret, keyOf } from "../../lib/settingsSchema";
import type { SettingProps } from "./PlainSetting";
import classes from "./SecretSetting.module.css";
import type { SecretsState } from "./SettingsFields";

/** A setting that goes in and never comes out: empty at first, whatever is stored. */
export function SecretSetting({
  field,
  value,
  error,
  onChange,
  secrets,
}: SettingProps & { secrets: SecretsState }) {
  const key = keyOf(field);
  const kept = secrets.kept.has(key);
  const removed = secrets.removed.has(key);
  const props = {
    label: field.label,
    description: [field.help, kept && KEPT, field.kind === "json" && "Written as JSON."]
      .filter(Boolean)
      .join(" "),
    required: field.required && !kept,
    error,
    disabled: removed,
    spellCheck: false,
    autoCapitalize: "none",
    // The browser's own passwords are none of this server's.
    autoComplete: "new-password",
    value: String(value),
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  return (
    <Stack gap={6}>
      {field.kind === "paragraph" || field.kind === "json" || field.kind === "lines" ? (
        <Textarea {...props} autosize minRows={3} maxRows={10} classNames={{ input: classes.masked }} />
      ) : (
        <PasswordInput
          {...props}
          aria-invalid={error !== undefined}
          visibilityToggleFocusable
          visibilityToggleButtonProps={{ "aria-label": `Show or hide ${field.label}` }}
        />
      )}
      {kept && emptySecret(field) !== undefined && (
        <Checkbox
          size="xs"
          label="Remove the one that is stored"
          aria-label={`Remove the one that is stored as ${field.label}`}
          checked={removed}
          onChange={(event) => {
            secrets.onRemove(key, event.currentTarget.checked);
            onChange("");
          }}
        />
      )}
    </Stack>
  );
}

const KEPT = "Kept unless you type a new one.";
