import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Place } from "../../api/api";
import { connectionsKey } from "../../api/connectionQueries";
import {
  checkConnection,
  type Connection,
  createConnection,
  editConnection,
  type Provider,
  type Settings,
} from "../../api/connections";
import { toApiError } from "../../api/errors";
import { kindOf, patternsOf } from "../../lib/connections";
import { slugProblem } from "../../lib/slug";
import { useSettingsForm } from "./useSettingsForm";
import { useTrial } from "./useTrial";

export interface ConnectionFormProps {
  place: Place;
  provider: Provider;
  /** The one that is edited; null for a new one. */
  connection: Connection | null;
  onSaved: (connection: Connection) => void;
}

/** What a connection has beside its provider's settings. */
interface Own {
  name: string;
  enabled: boolean;
  /** Patterns of events, one on each line. */
  told: string;
}

const NOTHING: Settings = {};

/** What the form holds and does: checks, tries what is to be saved, asks where that fails, and saves. */
export function useConnectionForm(props: ConnectionFormProps) {
  const { place, provider, connection } = props;
  const [kept] = useState(() => new Set(connection?.secrets));
  const settings = useSettingsForm(provider.settings_schema, connection?.settings ?? NOTHING, kept);
  const trial = useTrial(place, provider, connection);
  const [own, setOwn] = useState<Own>({
    name: connection?.name ?? "",
    enabled: connection?.enabled ?? true,
    told: (connection?.subscriptions ?? ["*"]).join("\n"),
  });
  const refusals = useRefusals(settings.refuse);
  const [asking, setAsking] = useState(false);
  const save = useSave(props);

  const check = (): Settings | null => {
    const wrong = connection === null ? slugProblem(own.name) : null;
    refusals.begin(wrong === null ? {} : { name: wrong });
    const given = settings.read();
    return wrong === null ? given : null;
  };
  const write = (given: Settings) => {
    setAsking(false);
    const isChanged = connection === null || settings.isChanged(given);
    save.mutate({ own, settings: isChanged ? given : null }, { onError: refusals.place });
  };
  const submit = async () => {
    const given = check();
    if (given === null || save.isPending || trial.isPending) return;
    if (connection !== null && !settings.isChanged(given)) return write(given);
    try {
      const health = await trial.ask(given);
      if (health.ok) write(given);
      else setAsking(true);
    } catch (error) {
      refusals.place(error);
    }
  };
  const tryOut = async () => {
    refusals.begin({});
    const given = settings.read();
    if (given !== null) await trial.ask(given, true).catch(refusals.place);
  };
  return {
    settings,
    kept,
    trial,
    own,
    change: (changes: Partial<Own>) => {
      setOwn({ ...own, ...changes });
      refusals.forget();
    },
    refusals,
    isSaving: save.isPending,
    submit,
    tryOut,
    asking,
    stopAsking: () => setAsking(false),
    saveAnyway: () => {
      const given = check();
      if (given !== null) write(given);
    },
  };
}

const OWN = ["name", "subscriptions"];

/** What the server refuses: at its fields, and what belongs to none of them above the form. */
function useRefusals(refuseSettings: (errors: Readonly<Record<string, string>>) => void) {
  const [own, setOwn] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>(null);
  const [count, setCount] = useState(0);
  return {
    own,
    error,
    /** Grows with every refusal. */
    count,
    begin: (wrong: Record<string, string>) => {
      setOwn(wrong);
      setError(null);
      setCount((now) => now + 1);
    },
    forget: () => setOwn({}),
    place: (refusal: unknown) => {
      const { fields } = toApiError(refusal).problem;
      const ofOwn = OWN.flatMap((name) => {
        const key = Object.keys(fields).find((found) => found === name || found.startsWith(`${name}.`));
        return key === undefined ? [] : [[name, fields[key] ?? ""] as const];
      });
      refuseSettings(fields);
      setOwn(Object.fromEntries(ofOwn));
      const isOfFields = ofOwn.length > 0 || Object.keys(fields).some((key) => key.startsWith("settings."));
      setError(isOfFields ? null : refusal);
      setCount((now) => now + 1);
    },
  };
}

/** Saves, and has the server ask for the health, so that the list shows it. */
function useSave({ place, provider, connection, onSaved }: ConnectionFormProps) {
  const client = useQueryClient();
  const refresh = () => client.invalidateQueries({ queryKey: connectionsKey(place) });
  return useMutation({
    mutationFn: ({ own, settings }: { own: Own; settings: Settings | null }) => {
      const told = provider.kind === "notifier" ? { subscriptions: patternsOf(own.told) } : {};
      if (connection !== null) {
        const changed = settings === null ? {} : { settings };
        return editConnection(place, connection.id, { enabled: own.enabled, ...told, ...changed });
      }
      const made = { name: own.name, kind: kindOf(provider), provider: provider.name };
      return createConnection(place, { ...made, settings: settings ?? {}, ...told });
    },
    onSuccess: async (saved) => {
      await refresh();
      onSaved(saved);
      void checkConnection(place, saved.id).then(refresh, () => undefined);
    },
  });
}
