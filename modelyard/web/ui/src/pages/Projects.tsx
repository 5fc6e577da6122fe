import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useQueries, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import type { Organization, Project } from "../api/api";
import { organizationQuery, organizationsQuery, projectsQuery, sessionQuery } from "../api/queries";
import { CommandBlock } from "../components/Copy";
import { CreateOrganization, CreateProject } from "../components/CreateForms";
import { type Column, DataTable } from "../components/DataTable";
import { PlusIcon } from "../components/icons";
import { PageTitle } from "../components/PageTitle";
import { RelativeTime } from "../components/RelativeTime";
import { EmptyState, ErrorState, LoadingRows, StaleNotice } from "../components/states";
import { paths } from "../lib/paths";

/** `/` shows the projects of all one's organizations, `/{organization}` those of one. */
export function Projects() {
  const { organization } = useParams();
  return organization === undefined ? <AllProjects /> : <OneOrganization slug={organization} />;
}

function AllProjects() {
  const { data, error, refetch, isFetching } = useQuery(organizationsQuery);
  const [creating, setCreating] = useState(false);
  // Organizations are made by the instance's administrators; to others the button would only answer with a refusal.
  const mayCreate = useQuery(sessionQuery).data?.user.is_instance_admin === true;
  return (
    <>
      <PageTitle parts={["Projects"]} />
      <Group justify="space-between" mb="lg">
        <Title order={1}>Projects</Title>
        {mayCreate && (
          <Button
            variant="default"
            size="xs"
            leftSection={<PlusIcon size={14} />}
            onClick={() => setCreating(true)}
          >
            New organization
          </Button>
        )}
      </Group>
      <CreateOrganization opened={creating} onClose={() => setCreating(false)} />
      {data === undefined && error !== null && (
        <ErrorState
          what="Your organizations could not be read."
          error={error}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      )}
      {data === undefined && error === null && <LoadingRows label="projects" rows={6} />}
      {data !== undefined && <StaleNotice error={error} />}
      {data?.length === 0 && (
        <EmptyState title="You are in no organization yet">
          <Text>
            An organization holds the people and the projects of a team.{" "}
            {mayCreate
              ? "Make one to begin."
              : "Ask its owner to add you; an administrator of this server can make a new one."}
          </Text>
          {mayCreate && (
            <Button size="sm" onClick={() => setCreating(true)}>
              Create an organization
            </Button>
          )}
        </EmptyState>
      )}
      {data !== undefined && data.length > 0 && <OrganizationList organizations={data} />}
    </>
  );
}

function OrganizationList({ organizations }: { organizations: Organization[] }) {
  const lists = useQueries({
    queries: organizations.map((organization) => projectsQuery(organization.slug)),
  });
  return (
    <Stack gap={28}>
      {organizations.map((organization, index) => {
        const list = lists[index];
        return list && <OrganizationSection key={organization.id} organization={organization} list={list} />;
      })}
    </Stack>
  );
}

function OneOrganization({ slug }: { slug: string }) {
  const organization = useQuery(organizationQuery(slug));
  const list = useQuery({ ...projectsQuery(slug), enabled: organization.data !== undefined });
  if (organization.data === undefined) {
    return (
      <>
        <PageTitle parts={[slug]} />
        {organization.error === null ? (
          <LoadingRows label="the organization" />
        ) : (
          <ErrorState
            what={`The organization “${slug}” could not be read.`}
            error={organization.error}
            onRetry={() => void organization.refetch()}
            retrying={organization.isFetching}
          />
        )}
      </>
    );
  }
  return (
    <>
      <PageTitle parts={[organization.data.name]} />
      <OrganizationSection organization={organization.data} list={list} top />
    </>
  );
}

interface SectionProps {
  organization: Organization;
  list: { data: Project[] | undefined; error: unknown; refetch: () => unknown; isFetching: boolean };
  top?: boolean;
}

function OrganizationSection({ organization, list, top = false }: SectionProps) {
  const [creating, setCreating] = useState(false);
  const mayCreate = organization.role === "owner" || organization.role === "admin";
  const create = () => setCreating(true);
  return (
    <section aria-labelledby={`organization-${organization.id}`}>
      <Group justify="space-between" mb={10}>
        <Group gap={10} miw={0} align="baseline">
          <Title order={top ? 1 : 2} id={`organization-${organization.id}`}>
            {top ? (
              organization.name
            ) : (
              <Link className="link" style={{ color: "inherit" }} to={paths.organization(organization.slug)}>
                {organization.name}
              </Link>
            )}
          </Title>
          <Text size="sm" c="dimmed">
            <span className="mono">{organization.slug}</span>
            {organization.role && `, you are ${organization.role}`}
          </Text>
        </Group>
        <Group gap={8}>
          <Button component={Link} to={paths.members(organization.slug)} size="xs" variant="default">
            Members
          </Button>
          <Button
            component={Link}
            to={paths.connections({ organization: organization.slug })}
            size="xs"
            variant="default"
          >
            Connections
          </Button>
          {mayCreate && (
            <Button size="xs" leftSection={<PlusIcon size={14} />} onClick={create}>
              New project
            </Button>
          )}
        </Group>
      </Group>
      <CreateProject organization={organization.slug} opened={creating} onClose={() => setCreating(false)} />
      <ProjectList organization={organization} list={list} mayCreate={mayCreate} />
    </section>
  );
}

function ProjectList({ organization, list, mayCreate }: SectionProps & { mayCreate: boolean }) {
  if (list.data === undefined) {
    if (list.error === null) return <LoadingRows label={`projects of ${organization.name}`} rows={2} />;
    return (
      <ErrorState
        what={`The projects of ${organization.name} could not be read.`}
        error={list.error}
        onRetry={() => void list.refetch()}
        retrying={list.isFetching}
      />
    );
  }
  if (list.data.length === 0) {
    return (
      <EmptyState title="No projects yet">
        {mayCreate ? (
          <>
            <Text>A project holds runs, models and deployments. Create one above, or from a terminal:</Text>
            <CommandBlock
              label="the command that creates a project"
              text={`modelyard projects create ${organization.slug}/my-project`}
            />
          </>
        ) : (
          <Text>
            You see the projects that you have a role in. An owner or admin of the organization gives you one.
          </Text>
        )}
      </EmptyState>
    );
  }
  return (
    <>
      <StaleNotice error={list.error} />
      <DataTable
        label={`Projects of ${organization.name}`}
        columns={COLUMNS}
        rows={list.data}
        rowKey={(project) => project.id}
        rowHref={(project) => paths.runs(organization.slug, project.slug)}
      />
    </>
  );
}

const COLUMNS: Column<Project>[] = [
  {
    id: "name",
    head: "Name",
    cell: (project) => (
      <Link className="link strong" to={paths.runs(project.organization, project.slug)}>
        {project.name}
      </Link>
    ),
  },
  { id: "slug", head: "Address", cell: (project) => <span className="mono dim">{project.slug}</span> },
  {
    id: "description",
    head: "Description",
    cell: (project) => project.description || <span className="dim">–</span>,
  },
  { id: "role", head: "Your role", cell: (project) => project.role ?? <span className="dim">–</span> },
  { id: "created", head: "Created", cell: (project) => <RelativeTime at={project.created_at} /> },
];
