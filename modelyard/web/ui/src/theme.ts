import {
  createTheme,
  type CSSVariablesResolver,
  localStorageColorSchemeManager,
  type MantineColorsTuple,
} from "@mantine/core";

const pine: MantineColorsTuple = [
  "#e8f7f3",
  "#d2ece5",
  "#a5d9cc",
  "#74c5b1",
  "#4cb49a",
  "#2fa388",
  "#168871",
  "#0f6b5f",
  "#0b564d",
  "#07403a",
];

/** Slate instead of Mantine's neutral greys; the second half carries the surfaces of the dark scheme. */
const dark: MantineColorsTuple = [
  "#dde3e8",
  "#c1cad2",
  "#9aa7b2",
  "#6b7883",
  "#3a454f",
  "#2e3840",
  "#222b32",
  "#1a2127",
  "#13191e",
  "#0d1216",
];

export const theme = createTheme({
  primaryColor: "pine",
  primaryShade: 7,
  colors: { pine, dark },
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  lineHeights: { xs: "1.4", sm: "1.45", md: "1.5", lg: "1.5", xl: "1.5" },
  headings: {
    fontWeight: "620",
    sizes: {
      h1: { fontSize: "1.375rem", lineHeight: "1.3" },
      h2: { fontSize: "1.0625rem", lineHeight: "1.35" },
      h3: { fontSize: "0.9375rem", lineHeight: "1.4" },
    },
  },
  defaultRadius: "sm",
  radius: { xs: "3px", sm: "6px", md: "8px", lg: "12px", xl: "16px" },
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    // 12 px: Mantine's own choice here is 2 px less than the smallest text of ours.
    InputWrapper: {
      vars: () => ({
        label: {},
        error: { "--input-error-size": "var(--mantine-font-size-xs)" },
        description: { "--input-description-size": "var(--mantine-font-size-xs)" },
      }),
    },
    Modal: {
      defaultProps: {
        centered: true,
        overlayProps: { backgroundOpacity: 0.45 },
        closeButtonProps: { "aria-label": "Close" },
      },
    },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } },
    Drawer: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } },
    // Without Mantine's own placeholder for the first focus, which is no child that a menu may have.
    Menu: { defaultProps: { shadow: "md", withinPortal: true, withInitialFocusPlaceholder: false } },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: true } },
  },
});

/** Our own names for surfaces and lines; text that is dimmed still reaches a contrast of 4.5. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#f6f8f8",
    "--mantine-color-text": "#18222a",
    "--mantine-color-dimmed": "#56636d",
    "--mantine-color-anchor": "#0b5d53",
    "--mantine-color-placeholder": "#6a7680",
    "--mantine-color-error": "#b42318",
    "--my-surface": "#ffffff",
    "--my-sunken": "#eff3f3",
    "--my-hover": "#f0f6f5",
    "--my-shade": "rgb(24 34 42 / 16%)",
    "--my-line": "#dde4e5",
    "--my-line-strong": "#c3cdcf",
    "--my-good": "#14713c",
    "--my-good-soft": "#e1f4e8",
    "--my-busy": "#1c5fa8",
    "--my-busy-soft": "#e3effb",
    "--my-warn": "#8a5200",
    "--my-warn-soft": "#fdf0d5",
    "--my-bad": "#b42318",
    "--my-bad-soft": "#fdeae8",
    "--my-quiet": "#4d5a64",
    "--my-quiet-soft": "#e9eded",
    "--my-curve": "#0f6b5f",
  },
  dark: {
    "--mantine-color-body": "#13191e",
    "--mantine-color-text": "#dde3e8",
    "--mantine-color-dimmed": "#9aa7b2",
    "--mantine-color-anchor": "#74c5b1",
    "--mantine-color-placeholder": "#85919c",
    "--mantine-color-error": "#ff8f85",
    "--my-surface": "#1a2127",
    "--my-sunken": "#10161a",
    "--my-hover": "#212a31",
    "--my-shade": "rgb(0 0 0 / 55%)",
    "--my-line": "#2a333b",
    "--my-line-strong": "#3c4852",
    "--my-good": "#6fd99a",
    "--my-good-soft": "#15321f",
    "--my-busy": "#83b9f5",
    "--my-busy-soft": "#16293f",
    "--my-warn": "#f0bd62",
    "--my-warn-soft": "#38290c",
    "--my-bad": "#ff9a91",
    "--my-bad-soft": "#3f1a17",
    "--my-quiet": "#a7b3bd",
    "--my-quiet-soft": "#29323a",
    "--my-curve": "#4cc3a8",
  },
});

/** The same key as public/assets/color-scheme-v1.js reads before the first paint. */
export const colorSchemeManager = localStorageColorSchemeManager({ key: "modelyard.color-scheme" });
