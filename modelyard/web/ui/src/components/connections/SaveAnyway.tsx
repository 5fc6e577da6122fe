import { Button, Group, Modal, Stack, Text } from "@mantine/core";

interface SaveAnywayProps {
  opened: boolean;
  reason: string;
  onClose: () => void;
  onSave: () => void;
}

/** What stands behind it does not answer now: it may do so later, so whoever knows that can save. */
export function SaveAnyway({ opened, reason, onClose, onSave }: SaveAnywayProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="The test failed">
      <Stack>
        <Text style={{ overflowWrap: "anywhere" }}>{reason || "It gave no reason."}</Text>
        <Text c="dimmed">Nothing is saved yet.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            Back to the form
          </Button>
          <Button onClick={onSave}>Save all the same</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
