import { paths } from "./paths";

/**
 * Where a link that MLflow prints leads: `/mlflow/acme/churn/#/experiments/1/runs/ab12` comes here as the part behind
 * the hash. Null for a hash that is not MLflow's.
 */
export function fromMlflowHash(hash: string, organization: string, project: string): string | null {
  if (!hash.startsWith("#/")) return null;
  const [path = "", query = ""] = hash.slice(2).split("?");
  const [kind, id, inner, innerId] = path.split("/").map(decoded);
  const runs = paths.runs(organization, project);
  if (kind === "models")
    return id ? paths.model(organization, project, id) : paths.models(organization, project);
  if (kind === "compare-runs") return runs;
  if (kind !== "experiments") return null;
  if (inner === "runs" && innerId) return paths.run(organization, project, innerId);
  const experiment = id || new URLSearchParams(query).get("experimentId");
  return experiment ? `${runs}?experiment=${encodeURIComponent(experiment)}` : runs;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
