import { Button, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { resetPassword } from "../api/people";
import { sessionQuery } from "../api/queries";
import { FrontPage } from "../components/FrontPage";
import { PasswordFields } from "../components/PasswordFields";
import { newPasswordRules } from "../lib/newPassword";
import { FormError } from "../components/states";
import { formErrors, formLevelError } from "../lib/formErrors";
import { paths } from "../lib/paths";

const FIELDS = ["password"];

/** A new password, by the link that an administrator gave. */
export function ResetPassword() {
  const { token = "" } = useParams();
  const client = useQueryClient();
  const form = useForm({ initialValues: { password: "", again: "" }, validate: newPasswordRules });
  const reset = useMutation({
    mutationFn: (password: string) => resetPassword(token, password),
    // The server has ended all sessions, the one of this browser, if any, among them.
    onSuccess: () => client.setQueryData(sessionQuery.queryKey, null),
    onError: (error) => form.setErrors(formErrors(error, FIELDS)),
  });
  if (reset.isSuccess) {
    return (
      <FrontPage title="Your password is changed">
        <Text mb="md">You are signed out everywhere. Sign in with the new password.</Text>
        <Button component={Link} to={paths.signIn()} fullWidth>
          Sign in
        </Button>
      </FrontPage>
    );
  }
  return (
    <FrontPage title="Choose a new password">
      <form noValidate onSubmit={form.onSubmit(({ password }) => reset.mutate(password))}>
        <Stack gap="md">
          <FormError error={formLevelError(reset.error, FIELDS)} />
          <PasswordFields form={form} />
          <Button type="submit" loading={reset.isPending} fullWidth>
            Change the password
          </Button>
        </Stack>
      </form>
    </FrontPage>
  );
}
