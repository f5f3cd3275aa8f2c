/** A chip with a speech bubble, drawn for 24 pixels. */
const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#0f6cbd" stroke-width="1.6"><rect x="4.5" y="4.5" width="15" height="15" rx="3"/><path d="M9 1.5v3M15 1.5v3M9 19.5v3M15 19.5v3M1.5 9h3M1.5 15h3M19.5 9h3M19.5 15h3"/><path d="M8.5 9h7v4.5h-4L9.5 15.5v-2h-1z" fill="#0f6cbd"/></svg>';

export const ICON = {
  src: `data:image/svg+xml;base64,${Buffer.from(SVG).toString("base64")}`,
  mimeType: "image/svg+xml",
  sizes: ["any"],
};
