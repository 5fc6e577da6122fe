import { Button, Divider, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";
import type { Session } from "../api/api";
import { acceptInvitation, joinAsNewPerson, type OpenInvitation } from "../api/people";
import { invitationQuery } from "../api/peopleQueries";
import { organizationsQuery, sessionQuery } from "../api/queries";
import { FrontPage } from "../components/FrontPage";
import { NewPersonForm } from "../components/NewPersonForm";
import { RelativeTime } from "../components/RelativeTime";
import { ErrorState, FormError, LoadingRows } from "../components/states";
import { paths, signInPath } from "../lib/paths";

/** What somebody is invited to, and the ways to accept: signed in, with a new account, or after signing in. */
export function Invitation() {
  const { token = "" } = useParams();
  const { data: invitation, error, refetch, isFetching } = useQuery(invitationQuery(token));
  const session = useQuery(sessionQuery);
  if (invitation === undefined || session.data === undefined) {
    const failed = error ?? session.error;
    return (
      <FrontPage title="Invitation">
        {failed === null ? (
          <LoadingRows label="the invitation" rows={3} />
        ) : (
          <ErrorState
            what="The invitation cannot be opened."
            error={failed}
            onRetry={() => void Promise.all([refetch(), session.refetch()])}
            retrying={isFetching || session.isFetching}
            instead={<Text c="dimmed">Ask whoever sent you the link for a new one.</Text>}
          />
        )}
      </FrontPage>
    );
  }
  return (
    <FrontPage title="Invitation" heading={`Join ${invitation.organization_name}`}>
      <Text mb="md">
        {invitation.invited_by} invites you to {invitation.organization_name} as{" "}
        <strong>{invitation.role}</strong>
        {invitation.project !== null && (
          <>
            , with the role <strong>{invitation.project_role}</strong> in the project{" "}
            <strong>{invitation.project}</strong>
          </>
        )}
        . The link ends <RelativeTime at={invitation.expires_at} />.
      </Text>
      {session.data === null ? (
        <NewHere token={token} invitation={invitation} />
      ) : (
        <SignedIn token={token} invitation={invitation} session={session.data} />
      )}
    </FrontPage>
  );
}

interface WayInProps {
  token: string;
  invitation: OpenInvitation;
}

function goal({ organization, project }: OpenInvitation): string {
  return project === null ? paths.organization(organization) : paths.runs(organization, project);
}

function SignedIn({ token, invitation, session }: WayInProps & { session: Session }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const accept = useMutation({
    mutationFn: () => acceptInvitation(token),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: organizationsQuery.queryKey });
      await navigate(goal(invitation), { replace: true });
    },
  });
  return (
    <Stack gap="md">
      <FormError error={accept.error} />
      <Button loading={accept.isPending} onClick={() => accept.mutate()} fullWidth>
        Accept as {session.user.username}
      </Button>
      <Text size="sm" c="dimmed">
        Not you? Sign out first, and open the link again.
      </Text>
    </Stack>
  );
}

function NewHere({ token, invitation }: WayInProps) {
  return (
    <>
      <NewPersonForm
        make={(person) => joinAsNewPerson(token, person)}
        action="Create an account and join"
        next={goal(invitation)}
      />
      <Divider label="or" my="md" />
      <Button component={Link} to={signInPath(paths.invitation(token))} variant="default" fullWidth>
        I have an account: sign in
      </Button>
    </>
  );
}
