import { useEffect, useState } from "react";
import { Outlet, ScrollRestoration, useLocation, useNavigation } from "react-router";
import classes from "./Root.module.css";

/** What is around every page: progress while one loads, and its title said to who cannot see it change. */
export function Root() {
  const { pathname } = useLocation();
  const [announced, setAnnounced] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => setAnnounced(document.title), 150);
    return () => window.clearTimeout(timer);
  }, [pathname]);
  const loading = useNavigation().state === "loading";
  return (
    <>
      {loading && <div className={classes.progress} role="progressbar" aria-label="Loading the page" />}
      <div className="hidden-text" role="status" aria-live="polite">
        {announced}
      </div>
      <Outlet />
      <ScrollRestoration />
    </>
  );
}
