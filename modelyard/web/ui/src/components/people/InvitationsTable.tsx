import { Button, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toApiError } from "../../api/errors";
import { type Invitation, revokeInvitation } from "../../api/people";
import { invitationsQuery } from "../../api/peopleQueries";
import { usePaged } from "../../api/queries";
import { type Column, DataTable } from "../DataTable";
import { ListBody } from "../ListBody";
import { RelativeTime } from "../RelativeTime";
import { EmptyState } from "../states";
import { StatusBadge } from "../StatusBadge";

/** An organization's invitations, and what became of them. */
export function InvitationsTable({ organization }: { organization: string }) {
  const client = useQueryClient();
  const query = usePaged(invitationsQuery(organization));
  const revoke = useMutation({
    mutationFn: (id: string) => revokeInvitation(organization, id),
    onSuccess: () => client.invalidateQueries({ queryKey: invitationsQuery(organization).queryKey }),
    onError: (error) =>
      notifications.show({ color: "red", title: "Not revoked", message: toApiError(error).problem.detail }),
  });
  return (
    <ListBody
      what="invitations"
      query={query}
      empty={
        <EmptyState title="No invitations yet">
          <Text>An invitation is a link by which somebody comes into the organization.</Text>
        </EmptyState>
      }
    >
      {(items) => (
        <DataTable
          label="Invitations"
          columns={columns(revoke.mutate, revoke.isPending)}
          rows={items}
          rowKey={(invitation) => invitation.id}
        />
      )}
    </ListBody>
  );
}

function columns(onRevoke: (id: string) => void, busy: boolean): Column<Invitation>[] {
  return [
    {
      id: "for",
      head: "For",
      cell: ({ email }) => email || <span className="dim">whoever has the link</span>,
    },
    {
      id: "role",
      head: "Role",
      cell: ({ role, project, project_role }) =>
        project === null ? role : `${role}, ${project_role ?? ""} in ${project}`,
    },
    { id: "by", head: "Invited by", cell: (invitation) => invitation.invited_by },
    {
      id: "state",
      head: "State",
      cell: ({ state, accepted_by }) => (
        <>
          <StatusBadge status={state} />
          {accepted_by !== null && <span className="dim"> by {accepted_by}</span>}
        </>
      ),
    },
    { id: "ends", head: "Ends", cell: (invitation) => <RelativeTime at={invitation.expires_at} /> },
    {
      id: "actions",
      numeric: true,
      head: <span className="hidden-text">Actions</span>,
      cell: ({ id, email, state }) =>
        state === "open" && (
          <Button
            size="compact-xs"
            variant="default"
            disabled={busy}
            aria-label={`Revoke the invitation for ${email || "whoever has the link"}`}
            onClick={() => onRevoke(id)}
          >
            Revoke
          </Button>
        ),
    },
  ];
}
