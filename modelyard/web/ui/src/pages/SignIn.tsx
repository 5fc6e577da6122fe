import { Button, PasswordInput, Stack, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { signIn } from "../api/api";
import { sessionQuery } from "../api/queries";
import { Logo } from "../components/Logo";
import { PageTitle } from "../components/PageTitle";
import { ThemeMenu } from "../components/Shell";
import { ErrorState } from "../components/states";
import { safeNext } from "../lib/paths";
import classes from "./SignIn.module.css";

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
  if (session.data && !enter.isPending) return <Navigate to={next} replace />;

  return (
    <main className={classes.page}>
      <PageTitle parts={["Sign in"]} />
      <div className={classes.theme}>
        <ThemeMenu />
      </div>
      <div className={classes.card}>
        <div className={classes.head}>
          <Logo size={36} />
          <Title order={1}>Sign in to Modelyard</Title>
        </div>
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
            <Button type="submit" loading={enter.isPending} fullWidth>
              Sign in
            </Button>
          </Stack>
        </form>
      </div>
      <p className={classes.foot}>
        No account yet? Your administrator makes one with{" "}
        <code className="mono">modelyard admin users create</code>.
      </p>
    </main>
  );
}
