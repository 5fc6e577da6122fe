import { Button, Group, Modal, NativeSelect, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import {
  createInvitation,
  type CreatedInvitation,
  type NewInvitation,
  type OrganizationRole,
  type ProjectRole,
} from "../../api/people";
import { invitationsQuery } from "../../api/peopleQueries";
import { projectsQuery } from "../../api/queries";
import { formErrors, formLevelError } from "../../lib/formErrors";
import { ORGANIZATION_ROLES, PROJECT_ROLES } from "../../lib/roles";
import { CopyLine } from "../Copy";
import { FormError } from "../states";

interface InvitationFormProps {
  organization: string;
  /** Only owners make owners. */
  owner: boolean;
  opened: boolean;
  onClose: () => void;
}

export function InvitationForm({ opened, onClose, ...rest }: InvitationFormProps) {
  const [made, setMade] = useState<CreatedInvitation | null>(null);
  const close = () => {
    onClose();
    setMade(null);
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={made === null ? "Invite somebody" : "The invitation's link"}
      // A click beside the dialog must not throw away a link that is shown once.
      closeOnClickOutside={made === null}
    >
      {made === null ? (
        <Form {...rest} onMade={setMade} onCancel={close} />
      ) : (
        <Stack>
          <Text>Send it yourself: it is shown this one time. Whoever accepts first comes in by it.</Text>
          <CopyLine value={made.link} label="the link" />
          <Group justify="flex-end">
            <Button onClick={close} data-autofocus>
              I have copied it
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

const FIELDS = ["role", "project", "project_role", "email", "expires_in_days"];

interface FormProps {
  organization: string;
  owner: boolean;
  onMade: (invitation: CreatedInvitation) => void;
  onCancel: () => void;
}

interface Values {
  role: OrganizationRole;
  project: string;
  project_role: ProjectRole;
  email: string;
  expires_in_days: number | string;
}

/** Leaves out what was not chosen: the server takes a missing field as none. */
function bodyOf({ role, project, project_role, email, expires_in_days }: Values): NewInvitation {
  return {
    role,
    ...(project !== "" && { project, project_role }),
    ...(email.trim() !== "" && { email: email.trim() }),
    expires_in_days: Number(expires_in_days),
  };
}

function Form({ organization, owner, onMade, onCancel }: FormProps) {
  const client = useQueryClient();
  const projects = useQuery(projectsQuery(organization)).data ?? [];
  const form = useForm<Values>({
    initialValues: { role: "member", project: "", project_role: "viewer", email: "", expires_in_days: 7 },
    validate: {
      expires_in_days: (value) =>
        Number.isInteger(value) && Number(value) >= 1 ? null : "A whole number of days.",
    },
  });
  const create = useMutation({
    mutationFn: (body: NewInvitation) => createInvitation(organization, body),
    onSuccess: async (invitation) => {
      onMade(invitation);
      await client.invalidateQueries({ queryKey: invitationsQuery(organization).queryKey });
    },
    onError: (error) => form.setErrors(formErrors(error, FIELDS)),
  });
  return (
    <form noValidate onSubmit={form.onSubmit((values) => create.mutate(bodyOf(values)))}>
      <Stack>
        <FormError error={formLevelError(create.error, FIELDS)} />
        <NativeSelect
          label="Role in the organization"
          description="Admins are admins of all its projects; members have the roles that they get in each."
          data-autofocus
          data={ORGANIZATION_ROLES.filter((role) => owner || role !== "owner")}
          {...form.getInputProps("role")}
        />
        <Group grow align="flex-start">
          <NativeSelect
            label="Project"
            data={[
              { value: "", label: "None yet" },
              ...projects.map(({ slug, name }) => ({ value: slug, label: name })),
            ]}
            {...form.getInputProps("project")}
          />
          <NativeSelect
            label="Role in it"
            data={[...PROJECT_ROLES]}
            disabled={form.values.project === ""}
            {...form.getInputProps("project_role")}
          />
        </Group>
        <TextInput
          label="E-mail"
          description="A note for you: the server sends nothing."
          type="email"
          {...form.getInputProps("email")}
        />
        <NumberInput
          label="Ends after days"
          min={1}
          max={365}
          allowDecimal={false}
          {...form.getInputProps("expires_in_days")}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Make the link
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
