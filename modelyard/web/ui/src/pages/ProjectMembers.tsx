import { Button, Group, NativeSelect, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Scope } from "../api/api";
import { setMember } from "../api/people";
import { allMembersQuery, peopleKey } from "../api/peopleQueries";
import { projectQuery } from "../api/queries";
import { PageTitle } from "../components/PageTitle";
import { MembersTable } from "../components/people/MembersTable";
import { FormError } from "../components/states";
import { useScope } from "../components/useScope";
import { formErrors, formLevelError } from "../lib/formErrors";
import { isAdmin, PROJECT_ROLES } from "../lib/roles";

/** Who has a role of their own in the project. */
export function ProjectMembers() {
  const scope = useScope();
  const project = useQuery(projectQuery(scope)).data;
  const admin = isAdmin(project?.role);
  return (
    <>
      <PageTitle parts={["Members", project?.name ?? scope.project]} />
      <h2 className="hidden-text">Members</h2>
      <Text c="dimmed" mb="md">
        Owners and admins of the organization are admins here without a line of their own.
      </Text>
      {admin && <AddMember scope={scope} />}
      <MembersTable of={scope} name={project?.name ?? scope.project} roles={PROJECT_ROLES} admin={admin} />
    </>
  );
}

const FIELDS = ["username", "role"];

function AddMember({ scope }: { scope: Scope }) {
  const client = useQueryClient();
  const everybody = useQuery(allMembersQuery({ organization: scope.organization })).data ?? [];
  const form = useForm({
    initialValues: { username: "", role: "viewer" },
    validate: { username: (value) => (value === "" ? "Choose somebody." : null) },
  });
  const add = useMutation({
    mutationFn: ({ username, role }: { username: string; role: string }) => setMember(scope, username, role),
    onSuccess: async () => {
      form.reset();
      await client.invalidateQueries({ queryKey: peopleKey(scope.organization) });
    },
    onError: (error) => form.setErrors(formErrors(error, FIELDS)),
  });
  return (
    <form noValidate onSubmit={form.onSubmit((values) => add.mutate(values))}>
      <Stack mb="lg" gap="xs">
        <FormError error={formLevelError(add.error, FIELDS)} />
        <Group align="flex-end" gap={8}>
          <NativeSelect
            label="Member of the organization"
            data={[
              { value: "", label: "Choose…" },
              ...everybody.map(({ username, display_name }) => ({
                value: username,
                label: display_name ? `${display_name} (${username})` : username,
              })),
            ]}
            {...form.getInputProps("username")}
          />
          <NativeSelect label="Role" data={[...PROJECT_ROLES]} {...form.getInputProps("role")} />
          <Button type="submit" variant="default" loading={add.isPending}>
            Give the role
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
