import { Anchor, Breadcrumbs, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";
import type { Artifact, Scope } from "../../api/api";
import { artifactsQuery } from "../../api/queries";
import { bytes } from "../../lib/format";
import { crumbs, fileName } from "../../lib/preview";
import { FileIcon, FolderIcon } from "../icons";
import { ErrorState, LoadingRows } from "../states";
import { ArtifactPreview } from "./ArtifactPreview";
import classes from "./Artifacts.module.css";

/** The run's files, folder by folder; folder and file stand in the address, so that one can send a link to them. */
export function Artifacts({ scope, run }: { scope: Scope; run: string }) {
  const [search, setSearch] = useSearchParams();
  const folder = search.get("folder") ?? "";
  const file = search.get("file");
  const { data, error, refetch, isFetching } = useQuery(artifactsQuery(scope, run, folder));
  const open = (target: { folder?: string; file?: string }) =>
    setSearch(
      () => {
        const next = new URLSearchParams();
        if (target.folder) next.set("folder", target.folder);
        if (target.file) next.set("file", target.file);
        return next;
      },
      { preventScrollReset: true },
    );
  const selected = data?.find((entry) => entry.path === file);

  return (
    <section className="panel" aria-labelledby="artifacts">
      <div className={classes.head}>
        <Title order={2} size="h3" id="artifacts">
          Artifacts
        </Title>
        {folder !== "" && (
          <Breadcrumbs separatorMargin={6} aria-label="Folder">
            <Anchor component="button" type="button" onClick={() => open({})}>
              All files
            </Anchor>
            {crumbs(folder).map((crumb) => (
              <Anchor
                key={crumb.path}
                component="button"
                type="button"
                onClick={() => open({ folder: crumb.path })}
                aria-current={crumb.path === folder ? "true" : undefined}
              >
                {crumb.name}
              </Anchor>
            ))}
          </Breadcrumbs>
        )}
      </div>
      <div className={classes.body}>
        <div className={classes.list}>
          {data === undefined && error === null && <LoadingRows label="the artifacts" rows={3} height={26} />}
          {data === undefined && error !== null && (
            <ErrorState
              what="The artifacts could not be listed."
              error={error}
              onRetry={() => void refetch()}
              retrying={isFetching}
            />
          )}
          {data?.length === 0 && (
            <p className={classes.empty}>
              {folder === "" ? "No artifacts: mlflow.log_artifact('report.html')" : "This folder is empty."}
            </p>
          )}
          {data !== undefined && data.length > 0 && (
            <ul className={classes.entries}>
              {[...data].sort(foldersFirst).map((entry) => (
                <li key={entry.path}>
                  <button
                    type="button"
                    className={classes.entry}
                    aria-current={entry.path === file ? "true" : undefined}
                    onClick={() => open(entry.is_dir ? { folder: entry.path } : { folder, file: entry.path })}
                  >
                    {entry.is_dir ? <FolderIcon size={15} /> : <FileIcon size={15} />}
                    <span className={classes.entryName}>{fileName(entry.path)}</span>{" "}
                    {entry.is_dir && <span className="hidden-text">folder</span>}
                    {!entry.is_dir && <span className="dim num">{bytes(entry.size_bytes)}</span>}
                  </button>
                </li>
              ))}
            </ul>
          )}
        </div>
        {selected && !selected.is_dir && (
          <div className={classes.preview}>
            <ArtifactPreview key={selected.path} scope={scope} run={run} artifact={selected} />
          </div>
        )}
      </div>
    </section>
  );
}

function foldersFirst(a: Artifact, b: Artifact): number {
  return Number(b.is_dir) - Number(a.is_dir) || a.path.localeCompare(b.path);
}
