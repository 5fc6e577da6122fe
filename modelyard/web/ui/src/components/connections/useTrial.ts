import { useState } from "react";
import type { Place } from "../../api/api";
import {
  type Connection,
  type Health,
  type Provider,
  type Settings,
  testChanges,
  testSettings,
} from "../../api/connections";
import { ApiError } from "../../api/errors";
import { kindOf } from "../../lib/connections";

export interface Trial {
  isPending: boolean;
  /** What was said of the settings that were tried last. */
  health: Health | null;
  /** Asks, unless these very settings have answered well; throws what the server refuses. */
  ask: (settings: Settings, again?: boolean) => Promise<Health>;
  forget: () => void;
}

/** Tries settings before they are saved: of a new connection, or of one that is edited. */
export function useTrial(place: Place, provider: Provider, connection: Connection | null): Trial {
  const [isPending, setPending] = useState(false);
  const [last, setLast] = useState<{ settings: string; health: Health } | null>(null);
  const ask = async (settings: Settings, again = false) => {
    const asked = JSON.stringify(settings);
    if (!again && last?.settings === asked && last.health.ok) return last.health;
    setPending(true);
    setLast(null);
    try {
      const health = await (
        connection === null
          ? testSettings(place, { kind: kindOf(provider), provider: provider.name, settings })
          : testChanges(place, connection.id, settings)
      ).catch(healthOfFailure);
      setLast({ settings: asked, health });
      return health;
    } finally {
      setPending(false);
    }
  };
  return { isPending, health: last?.health ?? null, ask, forget: () => setLast(null) };
}

/** A plugin that fails, or refuses an address, is an answer about the settings; whatever else fails is none. */
function healthOfFailure(error: unknown): Health {
  if (!(error instanceof ApiError)) throw error;
  const { code, status, fields, detail, hint } = error.problem;
  const isAnswer = code.startsWith("plugin_") || (status === 422 && Object.keys(fields).length === 0);
  if (!isAnswer) throw error;
  return { ok: false, message: [detail, hint].filter(Boolean).join(" ") };
}
