import { PasswordInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { type NewPassword, SHORTEST } from "../lib/newPassword";

const TOGGLE = { "aria-label": "Show or hide the password" };

/** A new password, twice. */
export function PasswordFields<T extends NewPassword>({ form }: { form: UseFormReturnType<T> }) {
  return (
    <>
      <PasswordInput
        label="New password"
        description={`At least ${SHORTEST} characters; a sentence is easier to keep than a riddle.`}
        autoComplete="new-password"
        visibilityToggleButtonProps={TOGGLE}
        required
        {...form.getInputProps("password")}
      />
      <PasswordInput
        label="The same again"
        autoComplete="new-password"
        visibilityToggleButtonProps={TOGGLE}
        required
        {...form.getInputProps("again")}
      />
    </>
  );
}
