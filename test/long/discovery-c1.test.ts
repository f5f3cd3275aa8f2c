import { describeDiscovery } from "../e2e/discovery.js";

describeDiscovery({ dialect: "C1", generation: "server" });
