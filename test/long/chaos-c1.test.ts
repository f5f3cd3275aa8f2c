import { chaos } from "./chaos.js";

const installations = [{ dialect: "C1", generation: "server" }] as const;

chaos("C1 is killed and comes back twenty times", [
  { name: "started by hand", installations, autostart: false, restarts: 10, seed: 201 },
  { name: "started by us", installations, autostart: true, restarts: 10, seed: 203 },
]);
