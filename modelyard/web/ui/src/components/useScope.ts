import { useParams } from "react-router";
import type { Scope } from "../api/api";

/** The project that the address names. */
export function useScope(): Scope {
  const { organization = "", project = "" } = useParams();
  return { organization, project };
}
