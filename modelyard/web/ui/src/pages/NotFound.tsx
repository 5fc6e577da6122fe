import { Link, useLocation } from "react-router";
import { PageTitle } from "../components/PageTitle";
import { EmptyState } from "../components/states";
import { paths } from "../lib/paths";

export function NotFound() {
  const { pathname } = useLocation();
  return (
    <>
      <PageTitle parts={["Not found"]} />
      <EmptyState title="There is no such page" whole>
        <span>
          Nothing is at <code className="mono">{pathname}</code>. It may have been moved or deleted, or the
          address has a slip.
        </span>
        <Link className="link" to={paths.home()}>
          All your projects
        </Link>
      </EmptyState>
    </>
  );
}
