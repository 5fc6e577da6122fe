import { Button, Title } from "@mantine/core";
import { type ReactNode, useState } from "react";
import classes from "./KeyValues.module.css";

const SHORT = 12;

interface KeyValuesProps<T> {
  title: string;
  values: Record<string, T>;
  empty: string;
  show: (value: T) => ReactNode;
}

export function KeyValues<T>({ title, values, empty, show }: KeyValuesProps<T>) {
  const [all, setAll] = useState(false);
  const entries = Object.entries(values).sort(([a], [b]) => a.localeCompare(b));
  const shown = all ? entries : entries.slice(0, SHORT);
  return (
    <section className="panel">
      <div className={classes.head}>
        <Title order={2} size="h3">
          {title}
        </Title>
        <span className="dim num">{entries.length}</span>
      </div>
      {entries.length === 0 ? (
        <p className={classes.empty}>{empty}</p>
      ) : (
        <table className={classes.table}>
          <tbody>
            {shown.map(([key, value]) => (
              <tr key={key}>
                <th scope="row">{key}</th>
                <td className="num">{show(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {entries.length > SHORT && (
        <Button variant="subtle" size="xs" fullWidth onClick={() => setAll(!all)} aria-expanded={all}>
          {all ? "Show fewer" : `Show all ${entries.length}`}
        </Button>
      )}
    </section>
  );
}
