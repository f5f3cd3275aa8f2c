/** The smallest images of their formats, as base64. */
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const JPEG = Buffer.from("ffd8ffe000104a46494600010100000100010000ffd9", "hex").toString(
  "base64",
);
export const GIF = "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
export const WEBP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==";

export const dataUrl = (data: string, mimeType = "image/png"): string =>
  `data:${mimeType};base64,${data}`;
