import { Title } from "@mantine/core";
import type { ReactNode } from "react";
import { PageTitle } from "../PageTitle";
import { ErrorState, LoadingRows } from "../states";
import { type ConnectionPlace, useConnectionPlace } from "./useConnectionPlace";
import classes from "./ConnectionsFrame.module.css";

interface ConnectionsFrameProps {
  /** The page's own name, of which the document's title is made. */
  title: string;
  heading: (here: ConnectionPlace) => ReactNode;
  /** What stands beside the heading. */
  aside?: (here: ConnectionPlace) => ReactNode;
  children: (here: ConnectionPlace) => ReactNode;
}

/** The pages of connections are the same below a project, whose frame has the first heading, and an organization. */
export function ConnectionsFrame({ title, heading, aside, children }: ConnectionsFrameProps) {
  const here = useConnectionPlace();
  const isOrganization = here.place.project === undefined;
  return (
    <>
      <PageTitle parts={[title, here.name]} />
      <div className={classes.head}>
        <Title order={isOrganization ? 1 : 2}>{heading(here)}</Title>
        {here.isReady && aside?.(here)}
      </div>
      {here.error !== null && (
        <ErrorState
          what={isOrganization ? `The organization “${here.name}” could not be read.` : undefined}
          error={here.error}
        />
      )}
      {here.error === null && !here.isReady && <LoadingRows label="the connections" />}
      {here.isReady && children(here)}
    </>
  );
}
