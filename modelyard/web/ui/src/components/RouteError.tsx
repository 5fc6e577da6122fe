import { useRouteError } from "react-router";
import { ErrorState } from "./states";

/** A page that failed to load (its file is gone after an update of the server) or to draw. */
export function RouteError() {
  const error = useRouteError();
  return (
    <main className="page">
      <title>Error · Modelyard</title>
      <ErrorState
        what="This page could not be shown."
        error={error}
        onRetry={() => window.location.reload()}
      />
    </main>
  );
}
