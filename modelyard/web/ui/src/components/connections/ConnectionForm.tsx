import { Button, Group, Stack, Switch, Text, Textarea, TextInput } from "@mantine/core";
import { type FormEvent, useEffect, useRef } from "react";
import { Link } from "react-router";
import type { Connection } from "../../api/connections";
import { paths } from "../../lib/paths";
import { FormError } from "../states";
import { SaveAnyway } from "./SaveAnyway";
import { SettingsFields } from "./SettingsFields";
import { TrialAnswer } from "./TrialAnswer";
import { type ConnectionFormProps, useConnectionForm } from "./useConnectionForm";

/** Makes or edits a connection: the provider's schema is the form, and what is to be saved is tried first. */
export function ConnectionForm(props: ConnectionFormProps) {
  const { place, provider } = props;
  const form = useConnectionForm(props);
  const { settings, trial, own, refusals } = form;
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refusals.count]);
  return (
    <>
      <form
        noValidate
        ref={element}
        aria-label="Connection"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void form.submit();
        }}
      >
        <Stack>
          <FormError error={refusals.error} />
          <OwnFields form={form} connection={props.connection} kind={provider.kind} />
          {settings.fields.length === 0 && <Text c="dimmed">{provider.title} has no settings.</Text>}
          <SettingsFields
            fields={settings.fields}
            values={settings.values}
            errors={settings.errors}
            onChange={(values) => {
              settings.change(values);
              trial.forget();
            }}
            secrets={{ kept: form.kept, removed: settings.removed, onRemove: settings.remove }}
          />
          {provider.kind === "notifier" && (
            <Textarea
              label="Told of"
              description="Events, one on each line. A star takes all that begin so: model_version.* or, for all, *. None: told of nothing."
              autosize
              minRows={1}
              maxRows={10}
              spellCheck={false}
              autoCapitalize="none"
              error={refusals.own.subscriptions}
              value={own.told}
              onChange={(event) => form.change({ told: event.currentTarget.value })}
            />
          )}
          <TrialAnswer isPending={trial.isPending} health={trial.health} />
          <Buttons form={form} isNew={props.connection === null} back={paths.connections(place)} />
        </Stack>
      </form>
      <SaveAnyway
        opened={form.asking}
        reason={trial.health?.message ?? ""}
        onClose={form.stopAsking}
        onSave={form.saveAnyway}
      />
    </>
  );
}

type Form = ReturnType<typeof useConnectionForm>;

/** Only notifiers ask whether they are in use; whatever was switched off can be switched on. */
function OwnFields({ form, connection, kind }: { form: Form; connection: Connection | null; kind: string }) {
  if (connection !== null) {
    return (
      (kind === "notifier" || !connection.enabled) && (
        <Switch
          label="In use"
          description="Switched off, it stays and is not used."
          checked={form.own.enabled}
          onChange={(event) => form.change({ enabled: event.currentTarget.checked })}
        />
      )
    );
  }
  return (
    <TextInput
      label="Name"
      description="What people and deployments call it. It stays as it is."
      required
      spellCheck={false}
      autoCapitalize="none"
      autoComplete="off"
      error={form.refusals.own.name}
      value={form.own.name}
      onChange={(event) => form.change({ name: event.currentTarget.value })}
    />
  );
}

function Buttons({ form, isNew, back }: { form: Form; isNew: boolean; back: string }) {
  const isTrying = form.trial.isPending;
  return (
    <Group justify="flex-end">
      <Button
        variant="default"
        mr="auto"
        loading={isTrying}
        disabled={form.isSaving}
        onClick={() => void form.tryOut()}
      >
        Test
      </Button>
      <Button component={Link} to={back} variant="default">
        Cancel
      </Button>
      <Button type="submit" loading={form.isSaving} disabled={isTrying}>
        {isNew ? "Create connection" : "Save"}
      </Button>
    </Group>
  );
}
