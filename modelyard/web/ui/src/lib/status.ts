export interface StatusLook {
  label: string;
  tone: "good" | "busy" | "warn" | "bad" | "quiet";
}

const LOOKS: Record<string, StatusLook> = {
  // runs
  running: { label: "Running", tone: "busy" },
  scheduled: { label: "Scheduled", tone: "busy" },
  finished: { label: "Finished", tone: "good" },
  killed: { label: "Killed", tone: "warn" },
  // deployments and replicas
  pending: { label: "Pending", tone: "busy" },
  starting: { label: "Starting", tone: "busy" },
  ready: { label: "Ready", tone: "good" },
  degraded: { label: "Degraded", tone: "warn" },
  failed: { label: "Failed", tone: "bad" },
  unhealthy: { label: "Unhealthy", tone: "bad" },
  stopping: { label: "Stopping", tone: "quiet" },
  stopped: { label: "Stopped", tone: "quiet" },
  // invitations
  open: { label: "Open", tone: "busy" },
  accepted: { label: "Accepted", tone: "good" },
  // plugins
  loaded: { label: "Loaded", tone: "good" },
  disabled: { label: "Disabled", tone: "quiet" },
};

export function statusLook(status: string): StatusLook {
  const key = status.toLowerCase();
  return (
    LOOKS[key] ?? { label: key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " "), tone: "quiet" }
  );
}

export const STAGES = ["None", "Staging", "Production", "Archived"] as const;
export type Stage = (typeof STAGES)[number];

/** A run that may still change. */
export function isLive(status: string): boolean {
  return ["running", "scheduled"].includes(status.toLowerCase());
}
