import { Title } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./FrontPage.module.css";
import { Logo } from "./Logo";
import { PageTitle } from "./PageTitle";
import { ThemeMenu } from "./Shell";

interface FrontPageProps {
  /** The browser's title, and, where there is no other, the heading. */
  title: string;
  heading?: string;
  children: ReactNode;
  foot?: ReactNode;
}

/** The frame of the pages that people see before they are in. */
export function FrontPage({ title, heading = title, children, foot }: FrontPageProps) {
  return (
    <main className={classes.page}>
      <PageTitle parts={[title]} />
      <div className={classes.theme}>
        <ThemeMenu />
      </div>
      <div className={classes.card}>
        <div className={classes.head}>
          <Logo size={36} />
          <Title order={1}>{heading}</Title>
        </div>
        {children}
      </div>
      {foot !== undefined && <p className={classes.foot}>{foot}</p>}
    </main>
  );
}
