import { Button, Checkbox, Group, Modal, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createToken, type NewToken, type CreatedToken } from "../api/api";
import { tokensQuery } from "../api/queries";
import { formErrors, formLevelError } from "../lib/formErrors";
import { CopyLine } from "./Copy";
import { FormError } from "./states";

type TokenScope = NonNullable<NewToken["scopes"]>[number];

const SCOPES: { value: TokenScope; label: string; description: string }[] = [
  { value: "read", label: "read", description: "See everything that you see" },
  { value: "write", label: "write", description: "Log runs, register and promote models" },
  { value: "deploy", label: "deploy", description: "Make, change and delete deployments" },
  { value: "admin", label: "admin", description: "Make projects, members, connections and tokens" },
];
const FIELDS = ["name", "scopes", "expires_in_days"];

export function TokenForm({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [made, setMade] = useState<CreatedToken | null>(null);
  const close = () => {
    onClose();
    setMade(null);
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={made === null ? "New API token" : `Token ${made.name}`}
      // A click beside the dialog must not throw away a secret that is shown once.
      closeOnClickOutside={made === null}
    >
      {made === null ? <Form onMade={setMade} onCancel={close} /> : <Secret token={made} onDone={close} />}
    </Modal>
  );
}

function Secret({ token, onDone }: { token: CreatedToken; onDone: () => void }) {
  return (
    <Stack>
      <Text>Copy it now: it is shown this one time, and the server keeps only a hash of it.</Text>
      <CopyLine value={token.secret} label="the token" />
      <Group justify="flex-end">
        <Button onClick={onDone} data-autofocus>
          I have copied it
        </Button>
      </Group>
    </Stack>
  );
}

function Form({ onMade, onCancel }: { onMade: (token: CreatedToken) => void; onCancel: () => void }) {
  const client = useQueryClient();
  const form = useForm<{ name: string; scopes: TokenScope[]; days: number | string }>({
    initialValues: { name: "", scopes: ["read", "write"], days: 90 },
    validate: {
      name: (value) => (value.trim() === "" ? "Say what it is for." : null),
      scopes: (value) => (value.length === 0 ? "Choose at least one." : null),
    },
  });
  const create = useMutation({
    mutationFn: createToken,
    onSuccess: async (token) => {
      onMade(token);
      await client.invalidateQueries({ queryKey: tokensQuery().queryKey });
    },
    onError: (error) => {
      const { expires_in_days: days, ...others } = formErrors(error, FIELDS, "name");
      form.setErrors({ ...others, ...(days !== undefined && { days }) });
    },
  });
  const submit = form.onSubmit(({ name, scopes, days }) =>
    create.mutate({ name: name.trim(), scopes, ...(typeof days === "number" && { expires_in_days: days }) }),
  );
  return (
    <form noValidate onSubmit={submit}>
      <Stack>
        <FormError error={formLevelError(create.error, FIELDS, "name")} />
        <TextInput
          label="Name"
          description="What it is for, such as the machine or the pipeline."
          required
          data-autofocus
          {...form.getInputProps("name")}
        />
        <Checkbox.Group label="Scopes" required {...form.getInputProps("scopes")}>
          <Stack gap={8} mt={6}>
            {SCOPES.map((scope) => (
              <Checkbox key={scope.value} size="xs" {...scope} />
            ))}
          </Stack>
        </Checkbox.Group>
        <NumberInput
          label="Expires in days"
          description="Leave it empty for a token that never expires."
          min={1}
          max={3650}
          allowDecimal={false}
          {...form.getInputProps("days")}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create token
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
