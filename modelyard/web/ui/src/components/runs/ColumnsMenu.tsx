import { Button, Checkbox, Popover, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { DataColumn } from "../../lib/columns";
import { ColumnsIcon } from "../icons";
import classes from "./ColumnsMenu.module.css";

interface ColumnsMenuProps {
  available: readonly DataColumn[];
  shown: readonly string[];
  automatic: boolean;
  /** null: the automatic choice again. */
  onChange: (ids: string[] | null) => void;
}

export function ColumnsMenu({ available, shown, automatic, onChange }: ColumnsMenuProps) {
  const [search, setSearch] = useState("");
  const found = available.filter((column) => column.key.toLowerCase().includes(search.toLowerCase()));
  const toggle = (id: string) =>
    onChange(shown.includes(id) ? shown.filter((other) => other !== id) : [...shown, id]);

  return (
    <Popover position="bottom-end" width={280} shadow="md" trapFocus withinPortal>
      <Popover.Target>
        <Button variant="default" leftSection={<ColumnsIcon size={15} />}>
          Columns
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Columns">
        <Stack gap="sm">
          <TextInput
            size="xs"
            aria-label="Search columns"
            placeholder="Search metrics and params"
            data-autofocus
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <div className={classes.list}>
            <Group
              title="Metrics"
              columns={found.filter((column) => column.kind === "metrics")}
              {...{ shown, toggle }}
            />
            <Group
              title="Params"
              columns={found.filter((column) => column.kind === "params")}
              {...{ shown, toggle }}
            />
            {found.length === 0 && (
              <Text size="sm" c="dimmed">
                {available.length === 0
                  ? "The runs shown have no metrics or params."
                  : "No such metric or param."}
              </Text>
            )}
          </div>
          <Button size="xs" variant="subtle" disabled={automatic} onClick={() => onChange(null)}>
            {automatic ? "Chosen automatically" : "Choose automatically"}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

interface GroupProps {
  title: string;
  columns: readonly DataColumn[];
  shown: readonly string[];
  toggle: (id: string) => void;
}

function Group({ title, columns, shown, toggle }: GroupProps) {
  if (columns.length === 0) return null;
  return (
    <fieldset className={classes.group}>
      <legend>{title}</legend>
      {columns.map((column) => (
        <Checkbox
          key={column.id}
          size="xs"
          label={column.key}
          checked={shown.includes(column.id)}
          onChange={() => toggle(column.id)}
        />
      ))}
    </fieldset>
  );
}
