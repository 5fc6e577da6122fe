import { Button, Divider, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { signIn } from "../api/api";
import { signInOptionsQuery } from "../api/peopleQueries";
import { sessionQuery } from "../api/queries";
import { FrontPage } from "../components/FrontPage";
import { ErrorState } from "../components/states";
import { useSecondsLeft } from "../components/useSecondsLeft";
import { safeNext } from "../lib/paths";

export function SignIn() {
  const [search] = useSearchParams();
  const next = safeNext(search.get("next"));
  const navigate = useNavigate();
  const client = useQueryClient();
  const session = useQuery(sessionQuery);
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { username: "", password: "" },
    validate: {
      username: (value) => (value.trim() === "" ? "Give your user name." : null),
      password: (value) => (value === "" ? "Give your password." : null),
    },
  });
  const enter = useMutation({
    mutationFn: signIn,
    onSuccess: async (answer) => {
      client.clear();
      client.setQueryData(sessionQuery.queryKey, answer);
      await navigate(next, { replace: true });
    },
  });
  const wait = useSecondsLeft(enter.error);
  if (session.data && !enter.isPending) return <Navigate to={next} replace />;

  return (
    <FrontPage
      title="Sign in"
      heading="Sign in to Modelyard"
      foot={
        <>
          No account yet, or the password is lost? An administrator of this server invites you or sends you a
          link.
        </>
      }
    >
      <form onSubmit={form.onSubmit((values) => enter.mutate(values))} noValidate>
        <Stack gap="md">
          {enter.error !== null && <ErrorState what="Not signed in" error={enter.error} />}
          <TextInput
            label="User name"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
            key={form.key("username")}
            {...form.getInputProps("username")}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
            key={form.key("password")}
            {...form.getInputProps("password")}
          />
          <Button type="submit" loading={enter.isPending} disabled={wait > 0} fullWidth>
            Sign in
          </Button>
          {wait > 0 && (
            <Text size="sm" c="dimmed" className="num" role="timer">
              Another try is possible in {wait} s.
            </Text>
          )}
        </Stack>
      </form>
      <OidcButton next={next} />
    </FrontPage>
  );
}

/** The way by the identity provider, where there is one. A password does without it, so its failure is silent. */
function OidcButton({ next }: { next: string }) {
  const oidc = useQuery(signInOptionsQuery).data?.oidc ?? null;
  if (oidc === null) return null;
  return (
    <>
      <Divider label="or" my="md" />
      <Button
        component="a"
        href={`${oidc.start}?next=${encodeURIComponent(next)}`}
        variant="default"
        fullWidth
      >
        Sign in with {oidc.name}
      </Button>
    </>
  );
}
