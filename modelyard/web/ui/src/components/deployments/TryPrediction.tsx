import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { type Deployment, predict, type Scope } from "../../api/api";
import { prettyJson } from "../../lib/preview";
import { ErrorState } from "../states";
import classes from "./DeploymentCard.module.css";

/** Sends what one types to the deployment's stable address, and shows what came back and how soon. */
export function TryPrediction({ scope, deployment }: { scope: Scope; deployment: Deployment }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const ask = useMutation({ mutationFn: (body: string) => predict(scope, deployment.name, body) });
  const send = () => {
    try {
      JSON.parse(text);
    } catch (error) {
      setProblem(text.trim() === "" ? "Write the input as JSON." : `Not JSON: ${(error as Error).message}`);
      return;
    }
    setProblem(null);
    ask.mutate(text);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Stack gap="sm">
        <Textarea
          label="Input"
          description='MLflow’s scoring format: {"dataframe_split": {"columns": [...], "data": [[...]]}}, {"dataframe_records": [...]} or {"inputs": ...}'
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          error={problem}
          autosize
          minRows={4}
          maxRows={16}
          spellCheck={false}
          classNames={{ input: "mono" }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
          }}
        />
        <Group gap="sm">
          <Button type="submit" size="xs" loading={ask.isPending}>
            Predict
          </Button>
          {deployment.ready_replicas === 0 && (
            <Text size="xs" c="dimmed">
              No replica is ready: the answer will say so.
            </Text>
          )}
        </Group>
        <div aria-live="polite">
          {ask.error !== null && <ErrorState what="No prediction" error={ask.error} />}
          {ask.data && ask.error === null && (
            <>
              <Text size="xs" c="dimmed" mb={6} className="num">
                Answered {ask.data.status} in {Math.round(ask.data.milliseconds)} ms
              </Text>
              <pre className={`text ${classes.answer}`} tabIndex={0} aria-label="The answer">
                {prettyJson(ask.data.text)}
              </pre>
            </>
          )}
        </div>
      </Stack>
    </form>
  );
}
