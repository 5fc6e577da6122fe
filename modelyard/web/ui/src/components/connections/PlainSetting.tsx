import { Checkbox, Group, NativeSelect, NumberInput, Textarea, TextInput } from "@mantine/core";
import type { FormValue, SettingField } from "../../lib/settingsSchema";

export interface SettingProps {
  field: SettingField;
  value: FormValue;
  error: string | undefined;
  onChange: (value: FormValue) => void;
}

const INPUT_TYPES: Record<string, string> = { email: "email", url: "url", uri: "url", date: "date" };
const MACHINE = {
  spellCheck: false,
  autoCapitalize: "none",
  autoCorrect: "off",
  autoComplete: "off",
} as const;
interface Typed {
  currentTarget: { value: string };
}

/** One setting that is typed in the open, in the input of its kind. */
export function PlainSetting({ field, value, error, onChange }: SettingProps) {
  const { label, required, limits } = field;
  const wrapper = { label, description: field.help || undefined, required, error };
  const typed = { onChange: (event: Typed) => onChange(event.currentTarget.value) };
  switch (field.kind) {
    case "truth":
      return (
        <Checkbox
          {...wrapper}
          required={false}
          size="xs"
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case "number":
      return (
        <NumberInput
          {...wrapper}
          min={limits.least ?? limits.above}
          max={limits.most ?? limits.below}
          allowDecimal={!limits.integer}
          // What was typed stays until somebody has read what is wrong with it.
          clampBehavior="none"
          value={typeof value === "number" ? value : String(value)}
          onChange={onChange}
        />
      );
    case "choice":
      return <NativeSelect {...wrapper} {...typed} value={String(value)} data={optionsOf(field)} />;
    case "choices":
      return (
        <Checkbox.Group
          {...wrapper}
          value={Array.isArray(value) ? value : []}
          onChange={(chosen) => onChange(chosen)}
        >
          <Group gap="md" mt={6}>
            {field.choices.map((choice) => (
              <Checkbox
                key={JSON.stringify(choice)}
                size="xs"
                value={JSON.stringify(choice)}
                label={String(choice)}
              />
            ))}
          </Group>
        </Checkbox.Group>
      );
    case "lines":
    case "json":
    case "paragraph":
      return (
        <Textarea
          {...wrapper}
          {...typed}
          {...MACHINE}
          description={[field.help, HOW_TO_TYPE[field.kind]].filter(Boolean).join(" ") || undefined}
          autosize
          minRows={field.kind === "lines" ? 2 : 3}
          maxRows={14}
          value={String(value)}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
        />
      );
    default:
      return (
        <TextInput
          {...wrapper}
          {...typed}
          {...MACHINE}
          type={INPUT_TYPES[field.format] ?? "text"}
          value={String(value)}
        />
      );
  }
}

const HOW_TO_TYPE: Record<string, string> = { lines: "One on each line.", json: "Written as JSON." };

function optionsOf({ choices, required, nullable, secret, default: byDefault }: SettingField) {
  const options = choices.map((choice) => ({ value: JSON.stringify(choice), label: String(choice) }));
  const mayBeEmpty = nullable || secret || byDefault === undefined;
  return mayBeEmpty ? [{ value: "", label: required ? "Choose…" : "Not set" }, ...options] : options;
}
