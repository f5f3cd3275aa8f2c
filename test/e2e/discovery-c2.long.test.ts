import { describeDiscovery } from "./discovery.js";

describeDiscovery({ dialect: "C2", generation: "server" });
