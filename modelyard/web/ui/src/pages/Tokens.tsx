import { Button, Group, Modal, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { revokeToken, type Token } from "../api/api";
import { tokensQuery, usePaged } from "../api/queries";
import { type Column, DataTable } from "../components/DataTable";
import { PlusIcon } from "../components/icons";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { RelativeTime } from "../components/RelativeTime";
import { EmptyState, FormError } from "../components/states";
import { ToneBadge } from "../components/StatusBadge";
import { TokenForm } from "../components/TokenForm";
import { useClock } from "../components/useClock";

export function Tokens() {
  const query = usePaged(tokensQuery());
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  return (
    <>
      <PageTitle parts={["API tokens"]} />
      <Group justify="space-between" mb={4}>
        <Title order={1}>API tokens</Title>
        <Button size="xs" leftSection={<PlusIcon size={14} />} onClick={() => setCreating(true)}>
          New token
        </Button>
      </Group>
      <Text c="dimmed" mb="lg" maw={720}>
        A token lets a program act as you: as <code className="mono">MLFLOW_TRACKING_TOKEN</code> for MLflow,
        or as <code className="mono">Authorization: Bearer</code> for the API.
      </Text>
      <TokenForm opened={creating} onClose={() => setCreating(false)} />
      <RevokeModal token={revoking} onClose={() => setRevoking(null)} />
      <ListBody
        what="tokens"
        query={query}
        empty={
          <EmptyState title="You have no tokens">
            <Text>Make one to log runs from your programs.</Text>
            <Button onClick={() => setCreating(true)}>Create a token</Button>
          </EmptyState>
        }
      >
        {(items) => (
          <DataTable
            label="API tokens"
            columns={columns(setRevoking)}
            rows={items}
            rowKey={(token) => token.id}
          />
        )}
      </ListBody>
    </>
  );
}

function columns(onRevoke: (token: Token) => void): Column<Token>[] {
  return [
    { id: "name", head: "Name", cell: (token) => <strong>{token.name}</strong> },
    { id: "scopes", head: "Scopes", cell: (token) => token.scopes.join(", ") },
    {
      id: "project",
      head: "Project",
      cell: (token) => token.project ?? <span className="dim">all of yours</span>,
    },
    { id: "used", head: "Last used", cell: (token) => <RelativeTime at={token.last_used_at} none="never" /> },
    { id: "expires", head: "Expires", cell: (token) => <Expiry at={token.expires_at} /> },
    { id: "created", head: "Created", cell: (token) => <RelativeTime at={token.created_at} /> },
    {
      id: "actions",
      numeric: true,
      head: <span className="hidden-text">Actions</span>,
      cell: (token) => (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`Revoke ${token.name}`}
          onClick={() => onRevoke(token)}
        >
          Revoke
        </Button>
      ),
    },
  ];
}

function Expiry({ at }: { at: string | null }) {
  const now = useClock();
  if (at !== null && new Date(at).getTime() < now) return <ToneBadge tone="bad" label="Expired" />;
  return <RelativeTime at={at} none="never" />;
}

function RevokeModal({ token, onClose }: { token: Token | null; onClose: () => void }) {
  return (
    <Modal
      opened={token !== null}
      onClose={onClose}
      title={token === null ? "Revoke" : `Revoke ${token.name}?`}
    >
      {token !== null && <RevokeQuestion token={token} onClose={onClose} />}
    </Modal>
  );
}

function RevokeQuestion({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => revokeToken(token.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: tokensQuery().queryKey });
      onClose();
    },
  });
  return (
    <>
      <FormError error={revoke.error} />
      <Text>Programs that use it are refused from their next call on. This cannot be undone.</Text>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button color="red" loading={revoke.isPending} onClick={() => revoke.mutate()}>
          Revoke token
        </Button>
      </Group>
    </>
  );
}
