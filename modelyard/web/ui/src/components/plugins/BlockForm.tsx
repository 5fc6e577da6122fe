import { Button, Checkbox, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { blockPlugin } from "../../api/api";
import { ApiError } from "../../api/errors";
import { pluginsQuery } from "../../api/queries";
import { formErrors, formLevelError } from "../../lib/formErrors";
import { FormError } from "../states";

interface BlockFormProps {
  plugin: string;
  opened: boolean;
  onClose: () => void;
}

/** A block lasts until somebody lifts it, so it has a reason. */
export function BlockForm({ plugin, opened, onClose }: BlockFormProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Block ${plugin}?`}>
      <Form plugin={plugin} onDone={onClose} />
    </Modal>
  );
}

const FIELDS = ["reason"];

function Form({ plugin, onDone }: { plugin: string; onDone: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { reason: "", force: false },
    validate: { reason: (value) => (value.trim() === "" ? "Say why, for whoever asks." : null) },
  });
  const block = useMutation({
    mutationFn: ({ reason, force }: typeof form.values) =>
      blockPlugin(plugin, { reason: reason.trim(), force }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: pluginsQuery.queryKey });
      onDone();
    },
    onError: (error) => form.setErrors(formErrors(error, FIELDS)),
  });
  const isSelected = block.error instanceof ApiError && block.error.problem.code === "conflict";
  return (
    <form noValidate onSubmit={form.onSubmit((values) => block.mutate(values))}>
      <Stack>
        <FormError error={formLevelError(block.error, FIELDS)} />
        <Text>
          No process calls it any more, until somebody unblocks it. It stays loaded, and what it is to be told
          waits.
        </Text>
        <Textarea
          label="Reason"
          required
          autosize
          minRows={2}
          maxLength={500}
          data-autofocus
          {...form.getInputProps("reason")}
        />
        {(isSelected || form.values.force) && (
          <Checkbox
            size="xs"
            label="Block it although all projects use it"
            {...form.getInputProps("force", { type: "checkbox" })}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" color="red" loading={block.isPending}>
            Block the plugin
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
