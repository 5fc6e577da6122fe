import { statusLook, type StatusLook } from "../lib/status";
import classes from "./StatusBadge.module.css";

interface BadgeProps {
  tone: StatusLook["tone"];
  label: string;
  dot?: boolean;
}

/** Colour and words, never colour alone. */
export function ToneBadge({ tone, label, dot = true }: BadgeProps) {
  return (
    <span className={classes.badge} data-tone={tone}>
      {dot && <span className={classes.dot} aria-hidden="true" />}
      {label}
    </span>
  );
}

export function StatusBadge({ status }: { status: string }) {
  const look = statusLook(status);
  return <ToneBadge tone={look.tone} label={look.label} />;
}

const STAGE_TONES: Record<string, StatusLook["tone"]> = {
  Production: "good",
  Staging: "busy",
  Archived: "quiet",
};

export function StageBadge({ stage, version }: { stage: string; version?: number }) {
  const label = version === undefined ? stage : `${stage} v${version}`;
  if (stage === "None") return <span className="dim">None</span>;
  return <ToneBadge tone={STAGE_TONES[stage] ?? "quiet"} label={label} dot={false} />;
}
