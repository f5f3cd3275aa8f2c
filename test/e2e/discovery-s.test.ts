import { describeDiscovery } from "./discovery.js";

describeDiscovery({ dialect: "S", generation: "service" });
