import { describeDownloadThroughCli } from "../e2e/download-cli.js";

describeDownloadThroughCli("C1");
