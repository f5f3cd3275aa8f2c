import { SDK_NAME } from "./find-sdk.js";

/** Its install script fetches what is native, and npm runs such scripts globally only when told to. */
const INSTALL_GLOBALLY = `npm install -g --allow-scripts=${SDK_NAME} ${SDK_NAME}`;

/**
 * How the SDK gets to where a package in this folder finds it, to follow "with" or "install it:". In a
 * clone a plain `npm install` does nothing, since the SDK is an optional peer of the very package;
 * and there npm 12 refuses `--allow-scripts`.
 */
export function sdkInstallation(packageFolder: string, version = ""): string {
  return packageFolder.split(/[\\/]/).includes("node_modules")
    ? `\`${INSTALL_GLOBALLY}${version}\` where this server is installed globally, \`npm install ${SDK_NAME}${version}\` in the project where it is not`
    : `\`npm install --no-save --save-dev ${SDK_NAME}${version}\` in this server's folder`;
}
