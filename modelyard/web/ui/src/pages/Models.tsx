import { Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import type { Model, Scope } from "../api/api";
import { modelsQuery, projectQuery, usePaged } from "../api/queries";
import { CommandBlock } from "../components/Copy";
import { type Column, DataTable } from "../components/DataTable";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { RelativeTime } from "../components/RelativeTime";
import { EmptyState } from "../components/states";
import { StageBadge, ToneBadge } from "../components/StatusBadge";
import { useScope } from "../components/useScope";
import { absolute, paths } from "../lib/paths";
import { STAGES } from "../lib/status";

export function Models() {
  const scope = useScope();
  const query = usePaged(modelsQuery(scope));
  const project = useQuery(projectQuery(scope)).data;
  return (
    <>
      <PageTitle parts={["Models", project?.name ?? scope.project]} />
      <h2 className="hidden-text">Models</h2>
      <ListBody
        what="models"
        query={query}
        empty={
          <EmptyState title="No models yet">
            <Text>A model appears here when a run registers it. From Python, beside your training code:</Text>
            <CommandBlock
              label="the code that registers a model"
              text={[
                "import mlflow",
                project && `mlflow.set_tracking_uri("${absolute(project.mlflow_uri)}")`,
                "with mlflow.start_run():",
                '    mlflow.sklearn.log_model(model, name="model", registered_model_name="my-model")',
              ]
                .filter(Boolean)
                .join("\n")}
            />
          </EmptyState>
        }
      >
        {(items) => (
          <DataTable
            label="Models"
            columns={columns(scope)}
            rows={items}
            rowKey={(model) => model.id}
            rowHref={(model) => paths.model(scope.organization, scope.project, model.name)}
          />
        )}
      </ListBody>
    </>
  );
}

function stageOrder(stage: string): number {
  return -STAGES.findIndex((known) => known === stage);
}

const none = <span className="dim">–</span>;

function columns({ organization, project }: Scope): Column<Model>[] {
  return [
    {
      id: "name",
      head: "Name",
      cell: (model) => (
        <Link className="link strong" to={paths.model(organization, project, model.name)}>
          {model.name}
        </Link>
      ),
    },
    {
      id: "latest",
      head: "Latest version",
      numeric: true,
      cell: (model) => (model.latest_version === null ? none : `v${model.latest_version}`),
    },
    { id: "count", head: "Versions", numeric: true, cell: (model) => model.versions_count },
    {
      id: "stages",
      head: "Stages",
      cell: (model) => {
        const stages = Object.entries(model.stages).filter(
          ([stage]) => stage !== "None" && stage !== "Archived",
        );
        if (stages.length === 0) return none;
        return (
          <Group gap={6} wrap="nowrap">
            {stages
              .sort(([a], [b]) => stageOrder(a) - stageOrder(b))
              .map(([stage, version]) => (
                <StageBadge key={stage} stage={stage} version={version} />
              ))}
          </Group>
        );
      },
    },
    {
      id: "aliases",
      head: "Aliases",
      cell: (model) => {
        const aliases = Object.entries(model.aliases);
        if (aliases.length === 0) return none;
        return (
          <Group gap={6} wrap="nowrap">
            {aliases.map(([alias, version]) => (
              <ToneBadge key={alias} tone="quiet" dot={false} label={`@${alias} v${version}`} />
            ))}
          </Group>
        );
      },
    },
    { id: "updated", head: "Updated", cell: (model) => <RelativeTime at={model.updated_at} /> },
  ];
}
