export { type HttpServeOptions, type HttpServing, serveOverHttp } from "./http-server.js";
