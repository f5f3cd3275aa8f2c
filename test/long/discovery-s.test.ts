import { describeDiscovery } from "../e2e/discovery.js";

describeDiscovery({ dialect: "S", generation: "service" });
