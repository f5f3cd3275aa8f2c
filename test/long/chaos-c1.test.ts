import { chaos } from "./chaos.js";

const installations = [{ dialect: "C1", generation: "server" }] as const;

chaos("C1 is killed and comes back fifty times", [
  { name: "started by hand", installations, autostart: false, restarts: 13, seed: 201 },
  { name: "started by hand, too", installations, autostart: false, restarts: 12, seed: 202 },
  { name: "started by us", installations, autostart: true, restarts: 13, seed: 203 },
  { name: "started by us, too", installations, autostart: true, restarts: 12, seed: 204 },
]);
