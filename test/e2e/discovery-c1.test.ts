import { describeDiscovery } from "./discovery.js";

describeDiscovery({ dialect: "C1", generation: "server" });
