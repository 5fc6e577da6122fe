import { ActionIcon, Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";
import { copyText } from "../lib/clipboard";
import { CheckIcon, CopyIcon } from "./icons";
import classes from "./Copy.module.css";

export function CopyButton({ value, label }: { value: string; label: string }) {
  const [said, setSaid] = useState<"copied" | "failed" | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = window.setTimeout(() => setSaid(null), 1_600);
    return () => window.clearTimeout(timer);
  }, [said]);
  const words =
    said === "copied" ? "Copied" : said === "failed" ? "Select it and copy by hand" : `Copy ${label}`;
  return (
    <Tooltip label={words} opened={said === null ? undefined : true}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="sm"
        aria-label={`Copy ${label}`}
        onClick={() => void copyText(value).then((done) => setSaid(done ? "copied" : "failed"))}
      >
        {said === "copied" ? <CheckIcon size={15} /> : <CopyIcon size={15} />}
        <span className="hidden-text" aria-live="polite">
          {said === null ? "" : words}
        </span>
      </ActionIcon>
    </Tooltip>
  );
}

/** One line that people take with them: an address, an id, a secret. */
export function CopyLine({ value, label }: { value: string; label: string }) {
  return (
    <span className={classes.line}>
      <code className={classes.code}>{value}</code>
      <CopyButton value={value} label={label} />
    </span>
  );
}

/** Commands to run: exact, and copied as they stand. */
export function CommandBlock({ text, label }: { text: string; label: string }) {
  return (
    <div className={classes.block}>
      <pre className={classes.pre} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <div className={classes.blockCopy}>
        <CopyButton value={text} label={label} />
      </div>
    </div>
  );
}
