import { Button, CloseButton, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { Problem } from "../../api/errors";
import { SearchIcon } from "../icons";
import classes from "./FilterBox.module.css";

interface FilterBoxProps {
  value: string;
  /** The server's refusal of this very filter. */
  problem: Problem | null;
  onApply: (filter: string) => void;
}

/** MLflow's filter text, applied by Enter. */
export function FilterBox({ value, problem, onApply }: FilterBoxProps) {
  const [text, setText] = useState(value);
  const [applied, setApplied] = useState(value);
  if (applied !== value) {
    // Changed from outside: the back button, or "show all runs".
    setApplied(value);
    setText(value);
  }
  const clear = () => {
    setText("");
    onApply("");
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onApply(text.trim());
  };
  return (
    <form className={classes.form} onSubmit={submit} role="search">
      <TextInput
        className={classes.input}
        aria-label="Filter runs"
        placeholder="metrics.accuracy > 0.9 and params.depth = '4'"
        leftSection={<SearchIcon size={15} />}
        rightSection={text !== "" && <CloseButton size="sm" aria-label="Clear the filter" onClick={clear} />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        error={problem && [problem.detail, problem.hint].filter(Boolean).join(" ")}
        spellCheck={false}
        autoCapitalize="none"
      />
      <Button type="submit" variant="default">
        Filter
      </Button>
    </form>
  );
}
