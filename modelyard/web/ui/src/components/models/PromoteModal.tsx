import { Button, Checkbox, Group, Modal, NativeSelect, Stack, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { promote, type Promotion, type Scope, type Version } from "../../api/api";
import { scopeKey } from "../../api/queries";
import { formErrors, formLevelError } from "../../lib/formErrors";
import { type Stage, STAGES } from "../../lib/status";
import { FormError } from "../states";

interface PromoteModalProps {
  scope: Scope;
  version: Version | null;
  onClose: () => void;
}

export function PromoteModal({ scope, version, onClose }: PromoteModalProps) {
  return (
    <Modal
      opened={version !== null}
      onClose={onClose}
      title={version === null ? "Promote" : `Promote ${version.model} v${version.version}`}
    >
      {version !== null && <PromoteForm scope={scope} version={version} onDone={onClose} />}
    </Modal>
  );
}

const FIELDS = ["stage", "reason"];
/** Stages that one version holds by custom: the server archives the one before unless told otherwise. */
const SHARED = new Set<Stage>(["Staging", "Production"]);
const NEXT: Record<string, Stage> = { None: "Staging", Staging: "Production", Production: "Archived" };

interface PromoteFormProps {
  scope: Scope;
  version: Version;
  onDone: () => void;
}

function PromoteForm({ scope, version, onDone }: PromoteFormProps) {
  const client = useQueryClient();
  const form = useForm<{ stage: Stage; reason: string; archive: boolean }>({
    initialValues: { stage: NEXT[version.stage] ?? "Staging", reason: "", archive: true },
    validate: { stage: (value) => (value === version.stage ? `It is in ${value} already.` : null) },
  });
  const move = useMutation({
    mutationFn: (body: Promotion) => promote(scope, version.model, version.version, body),
    onSuccess: async (moved) => {
      await client.invalidateQueries({ queryKey: scopeKey(scope) });
      notifications.show({ message: `${moved.model} v${moved.version} is in ${moved.stage}.` });
      onDone();
    },
    onError: (error) => form.setErrors(formErrors(error, FIELDS)),
  });
  const submit = form.onSubmit(({ stage, reason, archive }) =>
    move.mutate({
      stage,
      reason: reason.trim(),
      ...(!archive && SHARED.has(stage) && { archive_existing: false }),
    }),
  );
  return (
    <form noValidate onSubmit={submit}>
      <Stack>
        <FormError error={formLevelError(move.error, FIELDS)} />
        <NativeSelect
          label="Stage"
          description={`Now in ${version.stage}.`}
          data={[...STAGES]}
          data-autofocus
          {...form.getInputProps("stage")}
        />
        <Textarea
          label="Reason"
          description="Kept in the stage history, for whoever asks later."
          autosize
          minRows={2}
          {...form.getInputProps("reason")}
        />
        {SHARED.has(form.values.stage) && (
          <Checkbox
            size="xs"
            label={`Archive what is in ${form.values.stage} now`}
            {...form.getInputProps("archive", { type: "checkbox" })}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={move.isPending}>
            Move to {form.values.stage}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
