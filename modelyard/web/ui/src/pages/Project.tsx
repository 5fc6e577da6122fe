import { Badge, Group, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, NavLink, Outlet, useLocation, useParams } from "react-router";
import { projectQuery } from "../api/queries";
import { CopyLine } from "../components/Copy";
import { PageTitle } from "../components/PageTitle";
import { ErrorState, LoadingRows } from "../components/states";
import { useScope } from "../components/useScope";
import { absolute, paths } from "../lib/paths";
import { isAdmin } from "../lib/roles";
import classes from "./Project.module.css";

/** What is around the tabs of a project. */
export function Project() {
  const scope = useScope();
  const { organization, project: slug } = scope;
  const { run, model } = useParams();
  const { data: project, error, refetch, isFetching } = useQuery(projectQuery(scope));
  const tabsElement = useTabInSight(project !== undefined);
  const inside = run !== undefined || model !== undefined;

  if (project === undefined) {
    return (
      <>
        <PageTitle parts={[`${organization}/${slug}`]} />
        <h1 className="hidden-text">
          {organization}/{slug}
        </h1>
        {error === null ? (
          <LoadingRows label="the project" rows={6} />
        ) : (
          <ErrorState
            what={`The project ${organization}/${slug} could not be read.`}
            error={error}
            onRetry={() => void refetch()}
            retrying={isFetching}
            instead={
              <Link className="link" to={paths.home()}>
                All your projects
              </Link>
            }
          />
        )}
      </>
    );
  }

  const tabs = [
    { label: "Runs", to: paths.runs(organization, slug) },
    { label: "Models", to: paths.models(organization, slug) },
    { label: "Deployments", to: paths.deployments(organization, slug) },
    { label: "Activity", to: paths.activity(organization, slug) },
    { label: "Connections", to: paths.connections(scope) },
    { label: "Members", to: paths.projectMembers(organization, slug) },
    ...(isAdmin(project.role) ? [{ label: "Settings", to: paths.projectSettings(organization, slug) }] : []),
  ];
  return (
    <>
      {!inside && (
        <div className={classes.head}>
          <div className={classes.words}>
            <Group gap={10}>
              <Title order={1}>{project.name}</Title>
              {project.archived_at !== null && (
                <Badge variant="light" color="gray" radius="sm">
                  Archived
                </Badge>
              )}
            </Group>
            {project.description && <Text c="dimmed">{project.description}</Text>}
          </div>
          <div className={classes.log}>
            <Text size="xs" c="dimmed">
              Log to this project
            </Text>
            <CopyLine
              value={`MLFLOW_TRACKING_URI=${absolute(project.mlflow_uri)}`}
              label="the tracking address"
            />
          </div>
        </div>
      )}
      <nav aria-label="Project" className={classes.tabs} ref={tabsElement}>
        {tabs.map((tab) => (
          <NavLink key={tab.to} to={tab.to} className={classes.tab}>
            {tab.label}
          </NavLink>
        ))}
      </nav>
      <Outlet />
    </>
  );
}

/** On a narrow screen the tabs scroll: the one that is shown is brought into sight. */
function useTabInSight(areShown: boolean) {
  const tabs = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  useEffect(() => {
    const current = tabs.current?.querySelector<HTMLElement>("[aria-current]");
    if (tabs.current && current) tabs.current.scrollLeft = current.offsetLeft - tabs.current.offsetLeft - 40;
  }, [pathname, areShown]);
  return tabs;
}
