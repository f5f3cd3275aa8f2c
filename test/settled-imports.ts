import { afterAll, vi } from "vitest";

// A test file may end while its code loads a module. In a worker that is used again, that module would
// fail to load for all later files.
afterAll(() => vi.dynamicImportSettled());
