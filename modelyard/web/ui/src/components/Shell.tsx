import { ActionIcon, Menu, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, NavLink, useNavigate, useParams } from "react-router";
import { type Session, signOut } from "../api/api";
import { sessionQuery } from "../api/queries";
import { toApiError } from "../api/errors";
import { shortId } from "../lib/format";
import { paths } from "../lib/paths";
import { MoonIcon, ScreenIcon, SunIcon, UserIcon } from "./icons";
import { Logo } from "./Logo";
import classes from "./Shell.module.css";

export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  return (
    <>
      <a href="#main" className="skip-link">
        Skip to the content
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to={paths.home()} className={classes.home} aria-label="Modelyard, all projects">
            <Logo />
            <span className={classes.name}>Modelyard</span>
          </Link>
          <Breadcrumbs />
          <div className={classes.right}>
            <NavLink to={paths.plugins()} className={classes.navLink}>
              Plugins
            </NavLink>
            <ThemeMenu />
            <UserMenu session={session} />
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1} className="page">
        {children}
      </main>
    </>
  );
}

function Breadcrumbs() {
  const { organization, project, run, model } = useParams();
  if (organization === undefined) return null;
  const crumbs: { label: string; to: string; mono?: boolean }[] = [
    { label: organization, to: paths.organization(organization) },
  ];
  if (project !== undefined) crumbs.push({ label: project, to: paths.project(organization, project) });
  if (project !== undefined && run !== undefined) {
    crumbs.push({ label: shortId(run), to: paths.run(organization, project, run), mono: true });
  }
  if (project !== undefined && model !== undefined) {
    crumbs.push({ label: model, to: paths.model(organization, project, model) });
  }
  return (
    <nav aria-label="Breadcrumb" className={classes.crumbs}>
      <ol>
        {crumbs.map((crumb, index) => (
          <li key={crumb.to}>
            <Link
              to={crumb.to}
              className={crumb.mono ? "mono" : undefined}
              aria-current={index === crumbs.length - 1 ? "page" : undefined}
            >
              {crumb.label}
            </Link>
          </li>
        ))}
      </ol>
    </nav>
  );
}

const SCHEMES = [
  { value: "light", label: "Light", Icon: SunIcon },
  { value: "dark", label: "Dark", Icon: MoonIcon },
  { value: "auto", label: "As the system", Icon: ScreenIcon },
] as const;

export function ThemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const current = SCHEMES.find((scheme) => scheme.value === colorScheme) ?? SCHEMES[2];
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Colour scheme: ${current.label}`}>
          <current.Icon />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup
          value={colorScheme}
          onChange={(value) =>
            setColorScheme(SCHEMES.find((scheme) => scheme.value === value)?.value ?? "auto")
          }
        >
          {SCHEMES.map(({ value, label }) => (
            <Menu.RadioItem key={value} value={value} closeMenuOnClick>
              {label}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}

function UserMenu({ session }: { session: Session }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { user } = session;
  const leave = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      await navigate(paths.signIn());
      client.clear();
      client.setQueryData(sessionQuery.queryKey, null);
    },
    onError: (error) =>
      notifications.show({
        color: "red",
        title: "Not signed out",
        message: toApiError(error).problem.detail,
      }),
  });
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <UnstyledButton
          className={classes.user}
          aria-label={["Account of", user.username, user.display_name].join(" ").trim()}
        >
          <UserIcon />
          <span className={classes.userName}>{user.display_name || user.username}</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          Signed in as {user.username}
          {user.is_instance_admin && ", instance administrator"}
        </Menu.Label>
        <Menu.Item component={Link} to={paths.home()}>
          Projects
        </Menu.Item>
        <Menu.Item component={Link} to={paths.account()}>
          Your account
        </Menu.Item>
        <Menu.Item component={Link} to={paths.tokens()}>
          API tokens
        </Menu.Item>
        <Menu.Item component={Link} to={paths.plugins()}>
          Plugins
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => leave.mutate()} disabled={leave.isPending}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
