import { queryOptions } from "@tanstack/react-query";
import type { Place } from "./api";
import * as people from "./people";
import { paged, polledSlowly } from "./queries";

export const signInOptionsQuery = queryOptions({
  queryKey: ["sign-in-options"],
  queryFn: ({ signal }) => people.getSignInOptions(signal),
  staleTime: 60_000,
  retry: false,
});
export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => people.getInvitation(token, signal),
    staleTime: 60_000,
  });

export const userQuery = (username: string) =>
  queryOptions({
    queryKey: ["user", username],
    queryFn: ({ signal }) => people.getUser(username, signal),
  });
const SESSIONS = ["account", "sessions"];
export const sessionsQuery = () =>
  paged(SESSIONS, (cursor, signal) => people.listSessions(cursor, signal), SESSIONS, polledSlowly);

/** Keys of one organization's people begin alike, so that one call refreshes all of them. */
export const peopleKey = (organization: string) => ["people", organization] as const;
export const membersQuery = (of: Place) => {
  const key = [...peopleKey(of.organization), "members", of.project ?? null];
  return paged(key, (cursor, signal) => people.listMembers(of, cursor, signal), key, polledSlowly);
};
export const allMembersQuery = (of: Place) =>
  queryOptions({
    queryKey: [...peopleKey(of.organization), "all members", of.project ?? null],
    queryFn: ({ signal }) => people.allMembers(of, signal),
  });
export const invitationsQuery = (organization: string) => {
  const key = [...peopleKey(organization), "invitations"];
  return paged(
    key,
    (cursor, signal) => people.listInvitations(organization, cursor, signal),
    key,
    polledSlowly,
  );
};
