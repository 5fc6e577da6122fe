import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { FormError } from "./states";

interface ConfirmByNameProps {
  opened: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  /** What must be typed. */
  name: string;
  action: string;
  pending: boolean;
  error: unknown;
  children: ReactNode;
}

/** For what cannot be undone: the button works once the name is typed. */
export function ConfirmByName(props: ConfirmByNameProps) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title}>
      <Question {...props} />
    </Modal>
  );
}

function Question({ onClose, onConfirm, name, action, pending, error, children }: ConfirmByNameProps) {
  const [typed, setTyped] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (typed === name) onConfirm();
      }}
    >
      <Stack>
        <FormError error={error} />
        <Text>{children}</Text>
        <TextInput
          label={
            <>
              Type <code className="mono">{name}</code> to confirm
            </>
          }
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" color="red" disabled={typed !== name} loading={pending}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
