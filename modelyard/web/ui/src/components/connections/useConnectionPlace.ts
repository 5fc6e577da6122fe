import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import type { Place } from "../../api/api";
import { organizationQuery, projectQuery, sessionQuery } from "../../api/queries";
import { isAdmin } from "../../lib/roles";

export interface ConnectionPlace {
  place: Place;
  /** The place's name in sentences. */
  name: string;
  /** Whether the caller may make, change and delete connections here. */
  mayChange: boolean;
  /** Whether the caller may ask for their health. */
  mayCheck: boolean;
  isInstanceAdmin: boolean;
  /** Set where an organization's page cannot be shown; a project's page stands in a frame that says it. */
  error: unknown;
  isReady: boolean;
}

/** The organization or project that the address names, and what the caller may do with its connections. */
export function useConnectionPlace(): ConnectionPlace {
  const { organization = "", project: slug = "" } = useParams();
  const inProject = slug !== "";
  const project = useQuery({ ...projectQuery({ organization, project: slug }), enabled: inProject });
  const office = useQuery({ ...organizationQuery(organization), enabled: !inProject });
  const isInstanceAdmin = useQuery(sessionQuery).data?.user.is_instance_admin === true;
  const found = inProject ? project : office;
  const role = found.data?.role;
  return {
    place: inProject ? { organization, project: slug } : { organization },
    name: found.data?.name ?? (inProject ? slug : organization),
    mayChange: isAdmin(role),
    mayCheck: isAdmin(role) || (inProject && role === "editor"),
    isInstanceAdmin,
    error: found.data === undefined ? found.error : null,
    isReady: found.data !== undefined,
  };
}
