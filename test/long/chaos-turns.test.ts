import { INSTALLATIONS as installations } from "../e2e/foundry-machine.js";
import { chaos } from "./chaos.js";

chaos("another service takes its place fifty times", [
  { name: "started by hand", installations, autostart: false, restarts: 13, seed: 401 },
  { name: "started by hand, too", installations, autostart: false, restarts: 12, seed: 402 },
  { name: "started by us", installations, autostart: true, restarts: 13, seed: 403 },
  { name: "started by us, too", installations, autostart: true, restarts: 12, seed: 404 },
]);
