import { Stack, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import type { Place } from "../../api/api";
import type { Provider } from "../../api/connections";
import { KINDS, needsInstanceAdmin, purposeOf } from "../../lib/connections";
import { sentence } from "../../lib/format";
import { paths } from "../../lib/paths";
import { EmptyState } from "../states";
import classes from "./ProviderChoice.module.css";

interface ProviderChoiceProps {
  place: Place;
  providers: readonly Provider[];
  /** Shows this kind alone, if it is one. */
  kind: string | null;
  isInstanceAdmin: boolean;
  /** The level of the headings here. */
  order: 2 | 3;
}

/** What a connection can be made of: every provider that a loaded plugin brings. */
export function ProviderChoice({ place, providers, kind, isInstanceAdmin, order }: ProviderChoiceProps) {
  const groups = KINDS.filter((each) => kind === null || kind === each)
    .map((each) => ({ kind: each, items: providers.filter((provider) => provider.kind === each) }))
    .filter(({ items }) => items.length > 0);
  if (groups.length === 0) {
    return (
      <EmptyState title="No plugin brings a provider for this">
        <Text>
          The page of{" "}
          <Link className="link" to={paths.plugins()}>
            plugins
          </Link>{" "}
          says what is installed, and why something is not in use.
        </Text>
      </EmptyState>
    );
  }
  return (
    <Stack gap="lg">
      {groups.map(({ kind: each, items }) => (
        <section key={each} aria-labelledby={`kind-${each}`}>
          <Title order={order} size="h3" id={`kind-${each}`}>
            {sentence(each)}
          </Title>
          <Text c="dimmed" size="sm" mb={8}>
            {purposeOf(each)}
          </Text>
          <ul className={classes.choices}>
            {items.map((provider) => (
              <li key={provider.name}>
                <Choice
                  place={place}
                  provider={provider}
                  isAllowed={isInstanceAdmin || !needsInstanceAdmin(provider)}
                />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </Stack>
  );
}

interface ChoiceProps {
  place: Place;
  provider: Provider;
  isAllowed: boolean;
}

function Choice({ place, provider, isAllowed }: ChoiceProps) {
  const { kind, name, title, plugin } = provider;
  const words = (
    <>
      <span className={classes.title}>{title}</span>
      <span className={classes.from}>
        {name === plugin ? "" : <span className="mono">{name} </span>}
        from the plugin <span className="mono">{plugin}</span>
      </span>
    </>
  );
  if (isAllowed) {
    return (
      <Link className={classes.choice} to={paths.newConnection(place, { kind, provider: name })}>
        {words}
      </Link>
    );
  }
  return (
    <div className={classes.choice} data-refused>
      {words}
      <span className={classes.from}>
        It reaches files or processes of the server itself, so only instance administrators connect it.
      </span>
    </div>
  );
}
