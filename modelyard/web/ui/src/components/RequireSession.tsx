import { useQuery } from "@tanstack/react-query";
import { Navigate, Outlet, useLocation } from "react-router";
import { sessionQuery } from "../api/queries";
import { signInPath } from "../lib/paths";
import { RouteLoading } from "./RouteLoading";
import { Shell } from "./Shell";
import { ErrorState } from "./states";

export function RequireSession() {
  const { data: session, error, refetch, isFetching } = useQuery(sessionQuery);
  const { pathname, search, hash } = useLocation();
  if (session === undefined) {
    if (error === null) return <RouteLoading />;
    return (
      <main className="page">
        <title>Modelyard</title>
        <ErrorState
          what="Your session could not be read."
          error={error}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      </main>
    );
  }
  if (session === null) return <Navigate to={signInPath(pathname + search + hash)} replace />;
  return (
    <Shell session={session}>
      <Outlet />
    </Shell>
  );
}
