import { Button, Group, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";
import { organizationQuery } from "../api/queries";
import { PlusIcon } from "../components/icons";
import { PageTitle } from "../components/PageTitle";
import { InvitationForm } from "../components/people/InvitationForm";
import { InvitationsTable } from "../components/people/InvitationsTable";
import { MembersTable } from "../components/people/MembersTable";
import { ErrorState, LoadingRows } from "../components/states";
import { isAdmin, ORGANIZATION_ROLES } from "../lib/roles";

/** Who belongs to an organization, and who is invited. */
export function OrganizationMembers() {
  const { organization: slug = "" } = useParams();
  const { data: organization, error, refetch, isFetching } = useQuery(organizationQuery(slug));
  const [inviting, setInviting] = useState(false);
  if (organization === undefined) {
    return (
      <>
        <PageTitle parts={["Members", slug]} />
        {error === null ? (
          <LoadingRows label="the organization" />
        ) : (
          <ErrorState
            what={`The organization “${slug}” could not be read.`}
            error={error}
            onRetry={() => void refetch()}
            retrying={isFetching}
          />
        )}
      </>
    );
  }
  const admin = isAdmin(organization.role);
  const owner = organization.role === "owner";
  return (
    <>
      <PageTitle parts={["Members", organization.name]} />
      <Group justify="space-between" mb="lg">
        <Title order={1}>Members of {organization.name}</Title>
        {admin && (
          <Button size="xs" leftSection={<PlusIcon size={14} />} onClick={() => setInviting(true)}>
            Invite
          </Button>
        )}
      </Group>
      <InvitationForm
        organization={slug}
        owner={owner}
        opened={inviting}
        onClose={() => setInviting(false)}
      />
      <MembersTable
        of={{ organization: slug }}
        name={organization.name}
        roles={ORGANIZATION_ROLES}
        admin={admin}
      />
      {admin && (
        <>
          <Title order={2} mt="xl" mb="sm">
            Invitations
          </Title>
          <InvitationsTable organization={slug} />
        </>
      )}
    </>
  );
}
