import { Button, Group, Modal, NativeSelect, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { Place } from "../../api/api";
import { toApiError } from "../../api/errors";
import { leave, type Member, removeMember, setMember } from "../../api/people";
import { membersQuery, peopleKey } from "../../api/peopleQueries";
import { organizationsQuery, projectsQuery, sessionQuery, usePaged } from "../../api/queries";
import { paths } from "../../lib/paths";
import { type Column, DataTable } from "../DataTable";
import { ListBody } from "../ListBody";
import { EmptyState, FormError } from "../states";

interface MembersTableProps {
  of: Place;
  /** What the place is called in sentences. */
  name: string;
  roles: readonly string[];
  /** Whether the caller may change roles here. */
  admin: boolean;
}

/** Who is a member, as what; whoever may changes roles in place. Everybody may leave. */
export function MembersTable({ of, name, roles, admin }: MembersTableProps) {
  const query = usePaged(membersQuery(of));
  const me = useQuery(sessionQuery).data?.user.username;
  const [going, setGoing] = useState<Member | null>(null);
  const change = useChangeRole(of);
  return (
    <>
      <Modal
        opened={going !== null}
        onClose={() => setGoing(null)}
        title={going?.username === me ? `Leave ${name}?` : `Remove ${going?.username ?? ""}?`}
      >
        {going !== null && (
          <GoQuestion
            of={of}
            name={name}
            member={going}
            self={going.username === me}
            onClose={() => setGoing(null)}
          />
        )}
      </Modal>
      <ListBody
        what="members"
        query={query}
        empty={
          <EmptyState title="Nobody has a role of their own here">
            <Text>Owners and admins of the organization are admins of all its projects.</Text>
          </EmptyState>
        }
      >
        {(items) => (
          <DataTable
            label={`Members of ${name}`}
            columns={columns({ roles, admin, me, onRole: change.mutate, onGo: setGoing })}
            rows={items}
            rowKey={(member) => member.username}
            busy={change.isPending}
          />
        )}
      </ListBody>
    </>
  );
}

function useChangeRole(of: Place) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ username, role }: { username: string; role: string }) => setMember(of, username, role),
    onError: (error) =>
      notifications.show({
        color: "red",
        title: "The role is as it was",
        message: toApiError(error).problem.detail,
      }),
    onSettled: () => client.invalidateQueries({ queryKey: peopleKey(of.organization) }),
  });
}

interface ColumnsProps {
  roles: readonly string[];
  admin: boolean;
  me: string | undefined;
  onRole: (change: { username: string; role: string }) => void;
  onGo: (member: Member) => void;
}

function columns({ roles, admin, me, onRole, onGo }: ColumnsProps): Column<Member>[] {
  return [
    {
      id: "name",
      head: "Name",
      cell: ({ username, display_name }) => (
        <>
          <strong>{display_name || username}</strong> <span className="mono dim">{username}</span>
        </>
      ),
    },
    {
      id: "role",
      head: "Role",
      cell: ({ username, role }) =>
        admin ? (
          <NativeSelect
            size="xs"
            w={120}
            aria-label={`Role of ${username}`}
            data={[...roles]}
            value={role}
            onChange={(event) => onRole({ username, role: event.currentTarget.value })}
          />
        ) : (
          role
        ),
    },
    {
      id: "actions",
      numeric: true,
      head: <span className="hidden-text">Actions</span>,
      cell: (member) => {
        const self = member.username === me;
        return (
          (admin || self) && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={self ? "Leave" : `Remove ${member.username}`}
              onClick={() => onGo(member)}
            >
              {self ? "Leave" : "Remove"}
            </Button>
          )
        );
      },
    },
  ];
}

interface GoQuestionProps {
  of: Place;
  name: string;
  member: Member;
  self: boolean;
  onClose: () => void;
}

function GoQuestion({ of, name, member, self, onClose }: GoQuestionProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const go = useMutation({
    mutationFn: () => (self ? leave(of) : removeMember(of, member.username)),
    onSuccess: async () => {
      onClose();
      if (!self) return client.invalidateQueries({ queryKey: peopleKey(of.organization) });
      // Away first: what this page shows is not for whoever has left.
      await navigate(of.project === undefined ? paths.home() : paths.organization(of.organization));
      client.removeQueries({ queryKey: peopleKey(of.organization) });
      await client.invalidateQueries({ queryKey: organizationsQuery.queryKey });
      await client.invalidateQueries({ queryKey: projectsQuery(of.organization).queryKey });
    },
  });
  return (
    <>
      <FormError error={go.error} />
      <Text>
        {self ? "You lose" : `${member.username} loses`} the role {member.role} in {name}
        {of.project === undefined && " and every role in its projects"}.
      </Text>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button color="red" loading={go.isPending} onClick={() => go.mutate()}>
          {self ? "Leave" : "Remove"}
        </Button>
      </Group>
    </>
  );
}
