import type { HttpAnswer, HttpTransport } from "../../http/index.js";
import { MAX_LIST_BYTES } from "../../lib/index.js";
import type { Call, RequestPath } from "./dialect.js";
import type { Subject } from "./failure-rules.js";
import { errorOfFailure } from "./failures.js";

/**
 * Makes the function that sends the GET requests of a dialect. A body above `maxBodyBytes` is
 * `RESPONSE_TOO_LARGE`.
 */
export const getterOf =
  (transport: HttpTransport, quirks: Pick<RequestPath, "headLimitBytes"> = {}) =>
  (
    path: string,
    call: Call,
    maxBodyBytes = MAX_LIST_BYTES,
    subject: Subject = { doing: "other" },
  ): Promise<HttpAnswer> =>
    transport.request({
      method: "GET",
      path,
      ...call,
      ...quirks,
      maxBodyBytes,
      toError: (failure) => errorOfFailure(failure, subject),
    });
