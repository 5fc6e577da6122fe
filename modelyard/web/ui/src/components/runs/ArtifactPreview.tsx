import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Artifact, artifactUrl, type Scope } from "../../api/api";
import { artifactQuery } from "../../api/queries";
import { bytes, plural } from "../../lib/format";
import {
  cellText,
  IMAGE_LIMIT,
  imageType,
  previewKind,
  prettyJson,
  type Table,
  tableOf,
  TEXT_LIMIT,
} from "../../lib/preview";
import { DownloadIcon } from "../icons";
import { ErrorState, LoadingRows } from "../states";
import classes from "./Artifacts.module.css";

interface PreviewProps {
  scope: Scope;
  run: string;
  artifact: Artifact;
}

/**
 * A file's content, never as a page of its own: text is text, and an image comes as a data: address with the type of
 * its name, so that no file of a user's is ever run under our origin.
 */
export function ArtifactPreview({ scope, run, artifact }: PreviewProps) {
  const kind = previewKind(artifact.path, artifact.size_bytes);
  return (
    <>
      <div className={classes.previewHead}>
        <span className="mono">{artifact.path}</span>
        <a className={`link ${classes.download}`} href={artifactUrl(scope, run, artifact.path)} download>
          <DownloadIcon size={14} /> Download <span className="dim">({bytes(artifact.size_bytes)})</span>
        </a>
      </div>
      {kind === "none" ? (
        <Text size="sm" c="dimmed">
          No preview: text is shown up to {bytes(TEXT_LIMIT)}, images up to {bytes(IMAGE_LIMIT)}.
        </Text>
      ) : (
        <Content scope={scope} run={run} artifact={artifact} kind={kind} />
      )}
    </>
  );
}

function Content({ scope, run, artifact, kind }: PreviewProps & { kind: "image" | "json" | "text" }) {
  const blob = useQuery(artifactQuery(scope, run, artifact.path));
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ["preview", kind, artifact.path, blob.dataUpdatedAt, run],
    queryFn: () => readBlob(blob.data ?? new Blob(), artifact.path, kind),
    enabled: blob.data !== undefined,
    gcTime: 0,
  });
  const failed = blob.error ?? error;
  if (failed !== null) {
    return (
      <ErrorState
        what="The file could not be read."
        error={failed}
        onRetry={() => void (blob.error === null ? refetch() : blob.refetch())}
        retrying={blob.isFetching || isFetching}
      />
    );
  }
  if (data === undefined) return <LoadingRows label="the file" rows={4} height={18} />;
  if (kind === "image") return <img className={classes.image} src={data} alt={artifact.path} />;
  const table = kind === "json" ? tableOf(data) : null;
  if (table !== null) return <TablePreview table={table} name={artifact.path} />;
  return (
    <pre className={`text ${classes.text}`} tabIndex={0} aria-label={`Content of ${artifact.path}`}>
      {data === "" ? "(empty file)" : data}
    </pre>
  );
}

const ROWS = 200;

function TablePreview({ table, name }: { table: Table; name: string }) {
  return (
    <>
      <div className={classes.tableBox} role="region" aria-label={`Table ${name}`} tabIndex={0}>
        <table className={classes.table}>
          <thead>
            <tr>
              {table.columns.map((column, index) => (
                <th key={index} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.slice(0, ROWS).map((row, index) => (
              <tr key={index}>
                {row.map((value, column) => (
                  <td key={column} className={typeof value === "number" ? classes.number : undefined}>
                    {cellText(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Text size="xs" c="dimmed" mt={6}>
        {table.rows.length > ROWS
          ? `The first ${ROWS} of ${table.rows.length} rows`
          : plural(table.rows.length, "row")}
      </Text>
    </>
  );
}

async function readBlob(blob: Blob, path: string, kind: "image" | "json" | "text"): Promise<string> {
  if (kind === "image") return dataUrl(new Blob([blob], { type: imageType(path) ?? "" }));
  const text = await blob.slice(0, TEXT_LIMIT).text();
  return kind === "json" && blob.size <= TEXT_LIMIT ? prettyJson(text) : text;
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("The file could not be read."));
    reader.readAsDataURL(blob);
  });
}
