import type { MouseEvent, ReactNode } from "react";
import { useNavigate } from "react-router";
import type { Order } from "../lib/columns";
import { ArrowDownIcon, ArrowUpIcon } from "./icons";
import classes from "./DataTable.module.css";

export interface Column<T> {
  id: string;
  head: ReactNode;
  /** Numbers and buttons stand to the right, numbers in figures of one width. */
  numeric?: boolean;
  /** What the server orders by; without it the column cannot be sorted. */
  order?: string;
  cell: (row: T) => ReactNode;
}

interface DataTableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  /** Where a click on the row leads; the first cell should hold the same address as a link, for the keyboard. */
  rowHref?: (row: T) => string;
  order?: Order | null;
  onOrder?: (column: string) => void;
  busy?: boolean;
}

export function DataTable<T>(props: DataTableProps<T>) {
  const { label, columns, rows, rowKey, rowHref, order, onOrder, busy } = props;
  const navigate = useNavigate();

  const openRow = (event: MouseEvent, row: T) => {
    if (!rowHref || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    if ((event.target as HTMLElement).closest("a, button, input, label")) return;
    if (window.getSelection()?.toString()) return;
    void navigate(rowHref(row));
  };

  return (
    // A region that scrolls by itself must be reached by the keyboard.
    <div
      className={classes.scroll}
      role="region"
      aria-label={label}
      tabIndex={0}
      data-busy={busy || undefined}
    >
      <table className={classes.table} aria-busy={busy}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.id} column={column} order={order ?? null} onOrder={onOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={rowKey(row)}
              className={rowHref ? classes.opens : undefined}
              onClick={rowHref ? (event) => openRow(event, row) : undefined}
            >
              {columns.map((column) => (
                <td key={column.id} className={column.numeric ? classes.numeric : undefined}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeadProps<T> {
  column: Column<T>;
  order: Order | null;
  onOrder?: (column: string) => void;
}

function Head<T>({ column, order, onOrder }: HeadProps<T>) {
  const by = column.order;
  const className = column.numeric ? classes.numeric : undefined;
  if (by === undefined || !onOrder) {
    return (
      <th scope="col" className={className}>
        {column.head}
      </th>
    );
  }
  const direction = order?.column === by ? order.direction : null;
  return (
    <th
      scope="col"
      className={className}
      aria-sort={direction === null ? "none" : direction === "ASC" ? "ascending" : "descending"}
    >
      <button type="button" className={classes.sort} onClick={() => onOrder(by)}>
        {column.head}
        <span className={classes.arrow} data-on={direction !== null || undefined}>
          {direction === "ASC" ? <ArrowUpIcon size={12} /> : <ArrowDownIcon size={12} />}
        </span>
      </button>
    </th>
  );
}
