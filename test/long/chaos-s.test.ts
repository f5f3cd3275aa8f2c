import { chaos } from "./chaos.js";

const installations = [{ dialect: "S", generation: "service" }] as const;

chaos("S is killed and comes back fifty times", [
  { name: "started by hand", installations, autostart: false, restarts: 13, seed: 101 },
  { name: "started by hand, too", installations, autostart: false, restarts: 12, seed: 102 },
  { name: "started by us", installations, autostart: true, restarts: 13, seed: 103 },
  { name: "started by us, too", installations, autostart: true, restarts: 12, seed: 104 },
]);
