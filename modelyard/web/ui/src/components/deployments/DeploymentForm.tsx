import { Button, Group, Modal, NativeSelect, NumberInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createDeployment, type Model, type NewDeployment, type Scope } from "../../api/api";
import { connectionsQuery } from "../../api/connectionQueries";
import { deploymentsQuery, usePaged, versionsQuery } from "../../api/queries";
import { formErrors, formLevelError } from "../../lib/formErrors";
import { slugProblem, suggestSlug } from "../../lib/slug";
import { FormError } from "../states";

interface DeploymentFormProps {
  scope: Scope;
  models: readonly Model[];
  opened: boolean;
  onClose: () => void;
}

export function DeploymentForm({ opened, onClose, ...rest }: DeploymentFormProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="New deployment">
      <Form {...rest} onDone={onClose} />
    </Modal>
  );
}

const FIELDS = ["name", "model", "version", "target", "replicas"];

interface FormProps {
  scope: Scope;
  models: readonly Model[];
  onDone: () => void;
}

function Form({ scope, models, onDone }: FormProps) {
  const client = useQueryClient();
  const first = models[0]?.name ?? "";
  const form = useForm({
    initialValues: {
      name: suggestSlug(first),
      model: first,
      version: "",
      target: "local_process",
      replicas: 1,
    },
    validate: {
      name: slugProblem,
      model: (value) => (value === "" ? "Choose a model." : null),
      replicas: (value) => (Number.isInteger(value) && value >= 1 ? null : "A whole number, at least 1."),
    },
  });
  const targets = useTargets(scope);
  const versions = usePaged({
    ...versionsQuery(scope, form.values.model),
    enabled: form.values.model !== "",
  });
  const numbers = (versions.items ?? []).map((version) => version.version);
  const version = form.values.version || String(numbers[0] ?? "");

  const create = useMutation({
    mutationFn: (body: NewDeployment) => createDeployment(scope, body),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: deploymentsQuery(scope).queryKey });
      onDone();
    },
    onError: (error) => form.setErrors(formErrors(error, FIELDS, "name")),
  });
  const submit = form.onSubmit((values) => {
    if (version === "") {
      form.setFieldError("version", "This model has no version to serve.");
      return;
    }
    create.mutate({ ...values, version });
  });

  return (
    <form noValidate onSubmit={submit}>
      <Stack>
        <FormError error={formLevelError(create.error, FIELDS, "name")} />
        <NativeSelect
          label="Model"
          required
          data-autofocus
          data={models.map((model) => model.name)}
          {...form.getInputProps("model")}
          onChange={(event) => {
            const model = event.currentTarget.value;
            const follows = form.values.name === suggestSlug(form.values.model);
            form.setValues({ model, version: "", ...(follows && { name: suggestSlug(model) }) });
          }}
        />
        <NativeSelect
          label="Version"
          required
          data={(versions.items ?? []).map((item) => ({
            value: String(item.version),
            label: item.stage === "None" ? `v${item.version}` : `v${item.version}, ${item.stage}`,
          }))}
          disabled={versions.items === undefined}
          {...form.getInputProps("version")}
          value={version}
        />
        <TextInput
          label="Name"
          required
          description={`Its address: /serve/${scope.organization}/${scope.project}/${form.values.name || "…"}/invocations`}
          spellCheck={false}
          {...form.getInputProps("name")}
        />
        <Group grow align="flex-start">
          <NativeSelect label="Target" data={targets} {...form.getInputProps("target")} />
          <NumberInput
            label="Replicas"
            min={1}
            max={64}
            allowDecimal={false}
            {...form.getInputProps("replicas")}
          />
        </Group>
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create deployment
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** `local_process` needs no settings; every other target is a connection of the project. */
function useTargets(scope: Scope): { value: string; label: string }[] {
  const connections = useQuery(connectionsQuery(scope)).data ?? [];
  const found = connections
    .filter((connection) => connection.kind === "deployment_target" && connection.enabled)
    .map(({ name, provider }) => ({ value: name, label: `${name} (${provider})` }));
  return [{ value: "local_process", label: "Local process" }, ...found];
}
