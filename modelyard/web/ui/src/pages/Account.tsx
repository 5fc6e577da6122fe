import { Button, Group, Modal, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { type BrowserSession, changePassword, editUser, endSession, type Person } from "../api/people";
import { sessionsQuery, userQuery } from "../api/peopleQueries";
import { sessionQuery, usePaged } from "../api/queries";
import { type Column, DataTable } from "../components/DataTable";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { PasswordFields } from "../components/PasswordFields";
import { newPasswordRules } from "../lib/newPassword";
import { RelativeTime } from "../components/RelativeTime";
import { EmptyState, ErrorState, FormError, LoadingRows } from "../components/states";
import { ToneBadge } from "../components/StatusBadge";
import { useSecondsLeft } from "../components/useSecondsLeft";
import { formErrors, formLevelError } from "../lib/formErrors";
import { paths } from "../lib/paths";
import classes from "./Account.module.css";

/** Who one is, how one signs in, and where one is signed in. */
export function Account() {
  const user = useQuery(sessionQuery).data?.user;
  return (
    <>
      <PageTitle parts={["Your account"]} />
      <Title order={1} mb={4}>
        Your account
      </Title>
      <Text c="dimmed" mb="lg">
        You are <span className="mono">{user?.username}</span>
        {user?.is_instance_admin && ", instance administrator"}. Programs act as you by{" "}
        <Link className="link" to={paths.tokens()}>
          API tokens
        </Link>
        .
      </Text>
      <div className={classes.forms}>
        {user !== undefined && <Profile username={user.username} />}
        <Password />
      </div>
      <Sessions />
    </>
  );
}

const PROFILE_FIELDS = ["display_name", "email"];

function Profile({ username }: { username: string }) {
  const { data: user, error, refetch, isFetching } = useQuery(userQuery(username));
  return (
    <section className="panel panel-pad" aria-labelledby="profile">
      <Title order={2} id="profile" mb="sm">
        Profile
      </Title>
      {user !== undefined && <ProfileForm user={user} />}
      {user === undefined && error === null && <LoadingRows label="your profile" rows={2} />}
      {user === undefined && error !== null && (
        <ErrorState
          what="Your profile could not be read."
          error={error}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      )}
    </section>
  );
}

function ProfileForm({ user }: { user: Person }) {
  const client = useQueryClient();
  const form = useForm({ initialValues: { display_name: user.display_name, email: user.email } });
  const save = useMutation({
    mutationFn: (values: { display_name: string; email: string }) => editUser(user.username, values),
    onSuccess: async (saved) => {
      notifications.show({ message: "Your profile is saved." });
      client.setQueryData(userQuery(user.username).queryKey, saved);
      await client.invalidateQueries({ queryKey: sessionQuery.queryKey });
    },
    onError: (error) => form.setErrors(formErrors(error, PROFILE_FIELDS)),
  });
  const submit = form.onSubmit(({ display_name, email }) =>
    save.mutate({ display_name: display_name.trim(), email: email.trim() }),
  );
  return (
    <form noValidate onSubmit={submit}>
      <Stack>
        <FormError error={formLevelError(save.error, PROFILE_FIELDS)} />
        <TextInput label="Name" autoComplete="name" {...form.getInputProps("display_name")} />
        <TextInput label="E-mail" type="email" autoComplete="email" {...form.getInputProps("email")} />
        <Group justify="flex-end">
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const PASSWORD_FIELDS = ["current_password", "password"];

function Password() {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { current: "", password: "", again: "" },
    validate: {
      current: (value) => (value === "" ? "Give the password that you have now." : null),
      ...newPasswordRules,
    },
  });
  const change = useMutation({
    mutationFn: changePassword,
    onSuccess: async () => {
      form.reset();
      notifications.show({ message: "Your password is changed; your other sessions have ended." });
      await client.invalidateQueries({ queryKey: sessionsQuery().queryKey });
    },
    onError: (error) => {
      const { current_password: current, password } = formErrors(error, PASSWORD_FIELDS);
      form.setErrors({ ...(current && { current }), ...(password && { password }) });
    },
  });
  const wait = useSecondsLeft(change.error);
  const submit = form.onSubmit(({ current, password }) =>
    change.mutate({ current_password: current, password }),
  );
  return (
    <section className="panel panel-pad" aria-labelledby="password">
      <Title order={2} id="password" mb="sm">
        Password
      </Title>
      <form noValidate onSubmit={submit}>
        <Stack>
          <FormError error={formLevelError(change.error, PASSWORD_FIELDS)} />
          <PasswordInput
            label="Present password"
            autoComplete="current-password"
            visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
            required
            {...form.getInputProps("current")}
          />
          <PasswordFields form={form} />
          <Group justify="flex-end">
            {wait > 0 && (
              <Text size="sm" c="dimmed" className="num" role="timer">
                Another try is possible in {wait} s.
              </Text>
            )}
            <Button type="submit" loading={change.isPending} disabled={wait > 0}>
              Change password
            </Button>
          </Group>
        </Stack>
      </form>
    </section>
  );
}

function Sessions() {
  const query = usePaged(sessionsQuery());
  const [ending, setEnding] = useState<BrowserSession | null>(null);
  return (
    <section aria-labelledby="sessions">
      <Title order={2} id="sessions" mt="xl" mb={4}>
        Where you are signed in
      </Title>
      <Text c="dimmed" mb="sm">
        End what you do not know, and change your password then.
      </Text>
      <Modal opened={ending !== null} onClose={() => setEnding(null)} title="End this session?">
        {ending !== null && <EndQuestion session={ending} onClose={() => setEnding(null)} />}
      </Modal>
      <ListBody what="sessions" query={query} empty={<EmptyState title="No browser is signed in" />}>
        {(items) => (
          <DataTable
            label="Sessions"
            columns={sessionColumns(setEnding)}
            rows={items}
            rowKey={(session) => session.id}
          />
        )}
      </ListBody>
    </section>
  );
}

function sessionColumns(onEnd: (session: BrowserSession) => void): Column<BrowserSession>[] {
  return [
    {
      id: "browser",
      head: "Browser",
      cell: (session) => (
        <span className={classes.browser}>
          {session.user_agent || "unknown"}{" "}
          {session.is_current && <ToneBadge tone="good" label="This one" dot={false} />}
        </span>
      ),
    },
    { id: "address", head: "Address", cell: (session) => <span className="mono">{session.address}</span> },
    { id: "created", head: "Since", cell: (session) => <RelativeTime at={session.created_at} /> },
    { id: "seen", head: "Last seen", cell: (session) => <RelativeTime at={session.last_seen_at} /> },
    {
      id: "actions",
      numeric: true,
      head: <span className="hidden-text">Actions</span>,
      cell: (session) =>
        !session.is_current && (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`End the session at ${session.address}`}
            onClick={() => onEnd(session)}
          >
            End
          </Button>
        ),
    },
  ];
}

function EndQuestion({ session, onClose }: { session: BrowserSession; onClose: () => void }) {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: () => endSession(session.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: sessionsQuery().queryKey });
      onClose();
    },
  });
  return (
    <>
      <FormError error={end.error} />
      <Text>
        The browser at <span className="mono">{session.address}</span> is signed out at once.
      </Text>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button color="red" loading={end.isPending} onClick={() => end.mutate()}>
          End session
        </Button>
      </Group>
    </>
  );
}
