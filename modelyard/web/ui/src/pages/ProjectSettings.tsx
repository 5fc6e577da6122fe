import { Button, Group, Stack, Text, Textarea, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { Project } from "../api/api";
import { deleteProject, editProject, type ProjectChanges } from "../api/people";
import { organizationQuery, projectQuery, projectsQuery, scopeKey } from "../api/queries";
import { ConfirmByName } from "../components/ConfirmByName";
import { ProjectStorage } from "../components/connections/ProjectStorage";
import { PageTitle } from "../components/PageTitle";
import { EmptyState, FormError, LoadingRows } from "../components/states";
import { useScope } from "../components/useScope";
import { formErrors, formLevelError } from "../lib/formErrors";
import { paths } from "../lib/paths";
import { isAdmin } from "../lib/roles";
import { slugProblem } from "../lib/slug";
import classes from "./ProjectSettings.module.css";

/** What a project's admins change: its names, its storage, whether it is archived, and its end. */
export function ProjectSettings() {
  const scope = useScope();
  const project = useQuery(projectQuery(scope)).data;
  if (project === undefined) return <LoadingRows label="the settings" />;
  return (
    <>
      <PageTitle parts={["Settings", project.name]} />
      <h2 className="hidden-text">Settings</h2>
      {isAdmin(project.role) ? (
        <Stack gap="lg" maw={720}>
          <Names key={project.id} project={project} />
          <ProjectStorage key={project.storage_connection_id} scope={scope} project={project} />
          <Archive project={project} />
          <End project={project} />
        </Stack>
      ) : (
        <EmptyState title="Settings are for the project's admins">
          <Text>Your role here is {project.role}.</Text>
        </EmptyState>
      )}
    </>
  );
}

/** Saves changes and follows the project to its new address, if it got one. */
function useEdit(said: string) {
  const scope = useScope();
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (changes: ProjectChanges) => editProject(scope, changes),
    onSuccess: async ({ slug }) => {
      notifications.show({ message: said });
      if (slug !== scope.project) {
        await navigate(paths.projectSettings(scope.organization, slug), { replace: true });
      } else {
        await client.invalidateQueries({ queryKey: projectQuery(scope).queryKey });
      }
      await client.invalidateQueries({ queryKey: projectsQuery(scope.organization).queryKey });
    },
  });
}

const FIELDS = ["name", "slug", "description"];

function Names({ project }: { project: Project }) {
  const { name, slug, description } = project;
  const form = useForm({
    initialValues: { name, slug, description },
    validate: {
      name: (value) => (value.trim() === "" ? "Give it a name." : null),
      slug: slugProblem,
    },
  });
  const save = useEdit("The project is saved.");
  const submit = form.onSubmit((values) => {
    const changes = { ...values, name: values.name.trim(), description: values.description.trim() };
    save.mutate(
      // An address that stays is not sent: links and programs go on as they are.
      { ...changes, slug: changes.slug === slug ? undefined : changes.slug },
      { onError: (error) => form.setErrors(formErrors(error, FIELDS, "slug")) },
    );
  });
  return (
    <section className="panel panel-pad" aria-labelledby="names">
      <Title order={3} id="names" mb="sm">
        Name and address
      </Title>
      <form noValidate onSubmit={submit}>
        <Stack>
          <FormError error={formLevelError(save.error, FIELDS, "slug")} />
          <TextInput label="Name" required {...form.getInputProps("name")} />
          <TextInput
            label="Address"
            description={`/${project.organization}/${form.values.slug || "…"}. Old links go on leading here until another project takes the address.`}
            required
            spellCheck={false}
            autoCapitalize="none"
            {...form.getInputProps("slug")}
          />
          <Textarea label="Description" autosize minRows={2} {...form.getInputProps("description")} />
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </section>
  );
}

function Archive({ project }: { project: Project }) {
  const archived = project.archived_at !== null;
  const change = useEdit(archived ? "The project is restored." : "The project is archived.");
  return (
    <section className="panel panel-pad" aria-labelledby="archive">
      <Title order={3} id="archive" mb="sm">
        {archived ? "Restore" : "Archive"}
      </Title>
      <FormError error={change.error} />
      <div className={classes.row}>
        <Text>
          {archived
            ? "The project can be read and not changed. Restore it to work on."
            : "An archived project can be read and not changed; it can be restored at any time."}
        </Text>
        <Button
          variant="default"
          loading={change.isPending}
          onClick={() => change.mutate({ archived: !archived })}
        >
          {archived ? "Restore project" : "Archive project"}
        </Button>
      </div>
    </section>
  );
}

/** The organization's admins delete; a project's own admin is not asked. */
function End({ project }: { project: Project }) {
  const scope = useScope();
  const client = useQueryClient();
  const navigate = useNavigate();
  const office = useQuery(organizationQuery(scope.organization)).data?.role;
  const [asking, setAsking] = useState(false);
  const end = useMutation({
    onMutate: () => client.cancelQueries({ queryKey: scopeKey(scope) }),
    mutationFn: () => deleteProject(scope),
    onSuccess: async () => {
      notifications.show({ message: `The project ${project.name} is deleted.` });
      await navigate(paths.organization(scope.organization));
      // One that is still watched would be asked again at once, and there is nobody to answer.
      client.removeQueries({ queryKey: scopeKey(scope), type: "inactive" });
      await client.invalidateQueries({ queryKey: projectsQuery(scope.organization).queryKey });
    },
  });
  if (!isAdmin(office)) return null;
  return (
    <section className="panel panel-pad" aria-labelledby="end">
      <Title order={3} id="end" mb="sm">
        Delete
      </Title>
      <div className={classes.row}>
        <Text>
          Nobody finds a deleted project any more, and its deployments stop. For some time an admin of the
          organization can bring it back.
        </Text>
        <Button color="red" variant="light" onClick={() => setAsking(true)}>
          Delete project
        </Button>
      </div>
      <ConfirmByName
        opened={asking}
        onClose={() => setAsking(false)}
        onConfirm={() => end.mutate()}
        title={`Delete ${project.name}?`}
        name={scope.project}
        action="Delete the project"
        pending={end.isPending}
        error={end.error}
      >
        Its runs, models and deployments go with it.
      </ConfirmByName>
    </section>
  );
}
