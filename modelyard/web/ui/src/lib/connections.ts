import type { Connection, ConnectionKind, Provider } from "../api/connections";

/** What a connection can be, in the order of how often one is made. */
export const KINDS = [
  "notifier",
  "storage",
  "deployment_target",
  "tracker",
] as const satisfies ConnectionKind[];

export function kindOf(provider: Provider): ConnectionKind {
  const found = KINDS.find((kind) => kind === provider.kind);
  if (found === undefined) throw new Error(`A connection cannot be a ${provider.kind}.`);
  return found;
}

const PURPOSES: Record<ConnectionKind, string> = {
  notifier: "Tells people and machines what happens.",
  storage: "Keeps artifacts: the files of runs and models.",
  deployment_target: "Runs models.",
  tracker: "Keeps experiments and runs. Which one does is the server’s setting plugins.tracker.",
};

export function purposeOf(kind: string): string {
  return (PURPOSES as Record<string, string>)[kind] ?? "";
}

/** What reaches the server's own files or host is connected by instance administrators alone. */
const OF_THE_HOST = ["server_files", "runs_on_server_host"];

export function needsInstanceAdmin(provider: Provider): boolean {
  return provider.capabilities.some((capability) => OF_THE_HOST.includes(capability));
}

/** Where a connection comes from, and so where it is changed. */
export function originOf({ scope, managed_by }: Connection): string {
  if (managed_by !== "api") return "Settings file";
  return scope === "organization" ? "Organization" : "Project";
}

/** Patterns of events that were typed one on each line. */
export function patternsOf(lines: string): string[] {
  return lines
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
