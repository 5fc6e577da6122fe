// Sets the colour scheme before the first paint. A file of its own, not inline: the Content-Security-Policy
// allows no inline scripts. Change the number in its name when you change it; /assets is cached for good.
(function () {
  var choice = "auto";
  try {
    choice = window.localStorage.getItem("modelyard.color-scheme") || "auto";
  } catch {
    // Storage is refused: follow the system.
  }
  var dark =
    choice === "dark" || (choice === "auto" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
