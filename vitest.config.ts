import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "all",
          include: ["test/**/*.test.ts"],
          exclude: ["test/real/**"],
          testTimeout: 30_000,
          // Most of the tests wait for sockets and processes rather than compute.
          maxWorkers: 3,
        },
      },
      {
        // The end-to-end suite against the real services, one after the other on two cores.
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
