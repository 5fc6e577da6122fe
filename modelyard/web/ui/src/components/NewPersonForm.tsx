import { Button, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import type { Session } from "../api/api";
import type { NewPerson } from "../api/people";
import { sessionQuery } from "../api/queries";
import { formErrors, formLevelError } from "../lib/formErrors";
import { newPasswordRules } from "../lib/newPassword";
import { PasswordFields } from "./PasswordFields";
import { FormError } from "./states";

const FIELDS = ["username", "display_name", "password"];

interface NewPersonFormProps {
  /** Makes the account and signs in to it; what it throws is shown. */
  make: (person: NewPerson) => Promise<Session>;
  action: string;
  /** The page to open once the new person is signed in. */
  next: string;
}

/** An account for whoever holds a link: made, and then signed in to. */
export function NewPersonForm({ make, action, next }: NewPersonFormProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { username: "", display_name: "", password: "", again: "" },
    validate: {
      username: (value) => (value.trim() === "" ? "Choose a user name." : null),
      ...newPasswordRules,
    },
  });
  const create = useMutation({
    mutationFn: make,
    onSuccess: async (session) => {
      client.setQueryData(sessionQuery.queryKey, session);
      await navigate(next, { replace: true });
    },
    onError: (error) => form.setErrors(formErrors(error, FIELDS, "username")),
  });
  const submit = form.onSubmit(({ username, display_name, password }) =>
    create.mutate({ username: username.trim(), display_name: display_name.trim(), password }),
  );
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md">
        <FormError error={formLevelError(create.error, FIELDS, "username")} />
        <TextInput
          label="User name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          {...form.getInputProps("username")}
        />
        <TextInput label="Your name" autoComplete="name" {...form.getInputProps("display_name")} />
        <PasswordFields form={form} />
        <Button type="submit" loading={create.isPending} fullWidth>
          {action}
        </Button>
      </Stack>
    </form>
  );
}
