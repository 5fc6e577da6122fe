import { Button, Group, Modal, Stack, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { createOrganization, createProject } from "../api/api";
import { organizationsQuery, projectsQuery } from "../api/queries";
import { formErrors, formLevelError } from "../lib/formErrors";
import { paths } from "../lib/paths";
import { slugProblem, suggestSlug } from "../lib/slug";
import { FormError } from "./states";

interface DialogProps {
  opened: boolean;
  onClose: () => void;
}

export function CreateOrganization({ opened, onClose }: DialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="New organization">
      <OrganizationForm onDone={onClose} />
    </Modal>
  );
}

export function CreateProject({ organization, opened, onClose }: DialogProps & { organization: string }) {
  return (
    <Modal opened={opened} onClose={onClose} title={`New project in ${organization}`}>
      <ProjectForm organization={organization} onDone={onClose} />
    </Modal>
  );
}

const FIELDS = ["name", "slug", "description"];

/** Name and slug: the slug follows the name until somebody types one of their own. */
function useNameAndSlug() {
  const form = useForm({
    initialValues: { name: "", slug: "", description: "" },
    validate: {
      name: (value) => (value.trim() === "" ? "Give it a name." : null),
      slug: slugProblem,
    },
  });
  const onName = (name: string) => {
    const follows = form.values.slug === suggestSlug(form.values.name);
    form.setFieldValue("name", name);
    if (follows) form.setFieldValue("slug", suggestSlug(name));
  };
  return { form, onName };
}

type NameForm = ReturnType<typeof useNameAndSlug>;

function NameFields({ form, onName, prefix }: NameForm & { prefix: string }) {
  return (
    <>
      <TextInput
        label="Name"
        data-autofocus
        required
        {...form.getInputProps("name")}
        onChange={(event) => onName(event.currentTarget.value)}
      />
      <TextInput
        label="Address"
        description={`People see ${prefix}${form.values.slug || "…"}; it cannot be changed later.`}
        required
        spellCheck={false}
        autoCapitalize="none"
        {...form.getInputProps("slug")}
      />
    </>
  );
}

function Buttons({ pending, onCancel, label }: { pending: boolean; onCancel: () => void; label: string }) {
  return (
    <Group justify="flex-end" mt="xs">
      <Button variant="default" onClick={onCancel}>
        Cancel
      </Button>
      <Button type="submit" loading={pending}>
        {label}
      </Button>
    </Group>
  );
}

function OrganizationForm({ onDone }: { onDone: () => void }) {
  const names = useNameAndSlug();
  const client = useQueryClient();
  const create = useMutation({
    mutationFn: createOrganization,
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: organizationsQuery.queryKey });
      notifications.show({ message: `Organization ${made.name} is there.` });
      onDone();
    },
    onError: (error) => names.form.setErrors(formErrors(error, FIELDS, "slug")),
  });
  return (
    <form
      noValidate
      onSubmit={names.form.onSubmit(({ name, slug }) => create.mutate({ name: name.trim(), slug }))}
    >
      <Stack>
        <FormError error={formLevelError(create.error, FIELDS, "slug")} />
        <NameFields {...names} prefix="/" />
        <Buttons pending={create.isPending} onCancel={onDone} label="Create organization" />
      </Stack>
    </form>
  );
}

function ProjectForm({ organization, onDone }: { organization: string; onDone: () => void }) {
  const names = useNameAndSlug();
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: (body: { name: string; slug: string; description?: string }) =>
      createProject(organization, body),
    onSuccess: async (made) => {
      void client.invalidateQueries({ queryKey: projectsQuery(organization).queryKey });
      onDone();
      await navigate(paths.runs(organization, made.slug));
    },
    onError: (error) => names.form.setErrors(formErrors(error, FIELDS, "slug")),
  });
  const submit = names.form.onSubmit(({ name, slug, description }) =>
    create.mutate({
      name: name.trim(),
      slug,
      ...(description.trim() && { description: description.trim() }),
    }),
  );
  return (
    <form noValidate onSubmit={submit}>
      <Stack>
        <FormError error={formLevelError(create.error, FIELDS, "slug")} />
        <NameFields {...names} prefix={`/${organization}/`} />
        <Textarea label="Description" autosize minRows={2} {...names.form.getInputProps("description")} />
        <Buttons pending={create.isPending} onCancel={onDone} label="Create project" />
      </Stack>
    </form>
  );
}
