import { Button, NativeSelect, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { EventDays } from "../lib/eventFilter";
import { sentence } from "../lib/format";
import classes from "./EventFilter.module.css";

/** What events are about: the first part of an action's name. */
const KINDS = ["run", "experiment", "model", "model_version", "deployment", "connection", "project"];
const NOTHING: EventDays = { actor: "", action: "", object_kind: "", object_id: "", from: "", to: "" };

interface EventFilterProps {
  value: EventDays;
  onApply: (value: EventDays) => void;
}

/** Which events to show, applied by Enter or the button. */
export function EventFilter({ value, onApply }: EventFilterProps) {
  const [wanted, setWanted] = useState(value);
  const field = (name: keyof EventDays) => ({
    size: "xs",
    value: wanted[name],
    onChange: (event: { currentTarget: { value: string } }) => {
      const typed = event.currentTarget.value;
      setWanted((now) => ({ ...now, [name]: typed }));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onApply(wanted);
  };
  const kinds = KINDS.includes(wanted.object_kind) ? KINDS : [...KINDS, wanted.object_kind].filter(Boolean);
  return (
    <form className={classes.form} onSubmit={submit} role="search" aria-label="Filter events">
      <TextInput label="Who" placeholder="ana" spellCheck={false} autoCapitalize="none" {...field("actor")} />
      <TextInput
        label="Action"
        placeholder="model_version.stage_changed"
        spellCheck={false}
        autoCapitalize="none"
        {...field("action")}
      />
      <NativeSelect
        label="About"
        data={[
          { value: "", label: "Anything" },
          ...kinds.map((kind) => ({ value: kind, label: sentence(kind) })),
        ]}
        {...field("object_kind")}
      />
      <TextInput label="From" type="date" {...field("from")} />
      <TextInput label="To" type="date" {...field("to")} />
      <div className={classes.buttons}>
        <Button type="submit" size="xs" variant="default">
          Filter
        </Button>
        {Object.values(value).some((part) => part !== "") && (
          <Button size="xs" variant="subtle" onClick={() => onApply(NOTHING)}>
            Clear
          </Button>
        )}
      </div>
    </form>
  );
}
