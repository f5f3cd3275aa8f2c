import { chaos } from "./chaos.js";

const installations = [{ dialect: "S", generation: "service" }] as const;

chaos("S is killed and comes back twenty times", [
  { name: "started by hand", installations, autostart: false, restarts: 10, seed: 101 },
  { name: "started by us", installations, autostart: true, restarts: 10, seed: 103 },
]);
