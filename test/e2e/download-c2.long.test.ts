import { describeDownloadThroughCli } from "./download-cli.js";

describeDownloadThroughCli("C2");
