import type { DialectRequest } from "../dialect.js";
import { empty, json, ServiceError } from "./answers.js";
import type { Service } from "./service.js";

/** `GET /openai/getgpudevice`: a number, as documented. */
export async function getGpuDevice(service: Service, { reply }: DialectRequest): Promise<void> {
  reply.whole(json(service.gpuDevice));
}

/** `GET /openai/setgpudevice/{id}`. */
export async function setGpuDevice(
  service: Service,
  { reply }: DialectRequest,
  id: string,
): Promise<void> {
  if (!/^-?\d{1,9}$/.test(id)) throw new ServiceError(400, "");
  service.gpuDevice = Number(id);
  reply.whole(empty(200));
}
