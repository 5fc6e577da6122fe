import { Navigate, type RouteObject } from "react-router";
import { RouteError } from "./components/RouteError";
import { RouteLoading } from "./components/RouteLoading";
import { RequireSession } from "./components/RequireSession";
import { Root } from "./components/Root";

/** Pages come by route: who signs in does not load the charts. */
export const routes: RouteObject[] = [
  {
    Component: Root,
    ErrorBoundary: RouteError,
    HydrateFallback: RouteLoading,
    children: [
      { path: "sign-in", lazy: async () => ({ Component: (await import("./pages/SignIn")).SignIn }) },
      { path: "setup/:token", lazy: async () => ({ Component: (await import("./pages/Setup")).Setup }) },
      {
        path: "reset-password/:token",
        lazy: async () => ({ Component: (await import("./pages/ResetPassword")).ResetPassword }),
      },
      {
        path: "invitations/:token",
        lazy: async () => ({ Component: (await import("./pages/Invitation")).Invitation }),
      },
      {
        Component: RequireSession,
        children: [
          {
            ErrorBoundary: RouteError,
            children: [
              { index: true, lazy: async () => ({ Component: (await import("./pages/Projects")).Projects }) },
              {
                path: "plugins",
                lazy: async () => ({ Component: (await import("./pages/Plugins")).Plugins }),
              },
              {
                path: "account",
                lazy: async () => ({ Component: (await import("./pages/Account")).Account }),
              },
              { path: "tokens", lazy: async () => ({ Component: (await import("./pages/Tokens")).Tokens }) },
              {
                path: ":organization",
                lazy: async () => ({ Component: (await import("./pages/Projects")).Projects }),
              },
              {
                path: ":organization/-/members",
                lazy: async () => ({
                  Component: (await import("./pages/OrganizationMembers")).OrganizationMembers,
                }),
              },
              {
                path: ":organization/-/connections",
                lazy: async () => ({ Component: (await import("./pages/Connections")).Connections }),
              },
              {
                path: ":organization/-/connections/new",
                lazy: async () => ({ Component: (await import("./pages/NewConnection")).NewConnection }),
              },
              {
                path: ":organization/-/connections/:connection",
                lazy: async () => ({ Component: (await import("./pages/Connection")).Connection }),
              },
              {
                path: ":organization/:project",
                lazy: async () => ({ Component: (await import("./pages/Project")).Project }),
                children: [
                  { index: true, element: <Navigate to="runs" replace /> },
                  { path: "runs", lazy: async () => ({ Component: (await import("./pages/Runs")).Runs }) },
                  { path: "runs/:run", lazy: async () => ({ Component: (await import("./pages/Run")).Run }) },
                  {
                    path: "models",
                    lazy: async () => ({ Component: (await import("./pages/Models")).Models }),
                  },
                  {
                    path: "models/:model",
                    lazy: async () => ({ Component: (await import("./pages/Model")).Model }),
                  },
                  {
                    path: "deployments",
                    lazy: async () => ({ Component: (await import("./pages/Deployments")).Deployments }),
                  },
                  {
                    path: "activity",
                    lazy: async () => ({ Component: (await import("./pages/Activity")).Activity }),
                  },
                  {
                    path: "connections",
                    lazy: async () => ({ Component: (await import("./pages/Connections")).Connections }),
                  },
                  {
                    path: "connections/new",
                    lazy: async () => ({ Component: (await import("./pages/NewConnection")).NewConnection }),
                  },
                  {
                    path: "connections/:connection",
                    lazy: async () => ({ Component: (await import("./pages/Connection")).Connection }),
                  },
                  {
                    path: "members",
                    lazy: async () => ({
                      Component: (await import("./pages/ProjectMembers")).ProjectMembers,
                    }),
                  },
                  {
                    path: "settings",
                    lazy: async () => ({
                      Component: (await import("./pages/ProjectSettings")).ProjectSettings,
                    }),
                  },
                ],
              },
              { path: "*", lazy: async () => ({ Component: (await import("./pages/NotFound")).NotFound }) },
            ],
          },
        ],
      },
    ],
  },
];
