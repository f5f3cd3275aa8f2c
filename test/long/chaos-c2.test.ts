import { chaos } from "./chaos.js";

const installations = [{ dialect: "C2", generation: "server" }] as const;

chaos("C2 is killed and comes back fifty times", [
  { name: "started by hand", installations, autostart: false, restarts: 13, seed: 301 },
  { name: "started by hand, too", installations, autostart: false, restarts: 12, seed: 302 },
  { name: "started by us", installations, autostart: true, restarts: 13, seed: 303 },
  { name: "started by us, too", installations, autostart: true, restarts: 12, seed: 304 },
]);
