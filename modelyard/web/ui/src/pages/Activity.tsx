import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import type { PlatformEvent, Scope } from "../api/api";
import { eventsQuery, projectQuery, usePaged } from "../api/queries";
import { EventFilter } from "../components/EventFilter";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { RelativeTime } from "../components/RelativeTime";
import { EmptyState } from "../components/states";
import { useScope } from "../components/useScope";
import { readFilter, writeFilter } from "../lib/eventFilter";
import { changes, thing } from "../lib/events";
import { sentence } from "../lib/format";
import classes from "./Activity.module.css";

export function Activity() {
  const scope = useScope();
  const [search, setSearch] = useSearchParams();
  const { days, wanted } = readFilter(search);
  const query = usePaged(eventsQuery(scope, wanted));
  const project = useQuery(projectQuery(scope)).data;
  return (
    <>
      <PageTitle parts={["Activity", project?.name ?? scope.project]} />
      <h2 className="hidden-text">Activity</h2>
      <EventFilter
        // Changed from outside, as by the back button, it begins anew.
        key={search.toString()}
        value={days}
        onApply={(value) => setSearch(writeFilter(value))}
      />
      <ListBody
        what="events"
        query={query}
        empty={
          Object.keys(wanted).length > 0 ? (
            <EmptyState title="Nothing of that kind has happened">
              <Anchor component="button" onClick={() => setSearch({})}>
                Show all events
              </Anchor>
            </EmptyState>
          ) : (
            <EmptyState title="Nothing has happened yet">
              <Text>
                Runs that end, versions that change their stage, deployments that become ready: each stands
                here with who did it and when.
              </Text>
            </EmptyState>
          )
        }
      >
        {(items) => (
          <ol className={`panel ${classes.list}`}>
            {items.map((event) => (
              <EventLine key={event.id} event={event} scope={scope} />
            ))}
          </ol>
        )}
      </ListBody>
    </>
  );
}

function EventLine({ event, scope }: { event: PlatformEvent; scope: Scope }) {
  const changed = changes(event.before, event.after, event.object.name);
  const { name, to } = thing(event.object, scope.organization, scope.project);
  return (
    <li>
      <div className={classes.what}>
        <span className={classes.action}>{sentence(event.action)}</span>
        {to === null ? (
          <span className={classes.object}>{name}</span>
        ) : (
          <Link className={`link ${classes.object}`} to={to}>
            {name}
          </Link>
        )}
        {changed.length > 0 && (
          <ul className={classes.changes} aria-label="Changes">
            {changed.map(({ field, from, to }) => (
              <li key={field}>
                <span className="dim">{sentence(field)}:</span> {from !== null && <>{from} → </>}
                {to}
              </li>
            ))}
          </ul>
        )}
      </div>
      <div className={classes.who}>
        {event.actor.name}
        {event.actor.kind === "token" && " by token"} · <RelativeTime at={event.occurred_at} />
      </div>
    </li>
  );
}
