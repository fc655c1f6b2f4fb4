// Talking with the service, and saying in words what went wrong.

let key = "";
const TIMEOUT = 30_000;

/** What went wrong, in words for the person at the page. */
export class ServiceError extends Error {
  constructor(message, status = 0, requestId = "") {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

/** Sends this key from now on; an empty one sends none. */
export const useKey = (value) => {
  key = value;
};

/** Asks the service: `{data, milliseconds}`, or a ServiceError. */
export async function ask(path, body) {
  const headers = { Accept: "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const started = performance.now();
  const response = await sent(path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT),
  });
  const text = await response.text();
  const milliseconds = performance.now() - started;
  if (!response.ok) throw new ServiceError(explained(response, text), response.status, response.headers.get("x-request-id") ?? "");
  return { data: parsed(response, text), milliseconds };
}

async function sent(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw new ServiceError(
      error.name === "TimeoutError"
        ? `No answer within ${TIMEOUT / 1000} seconds. The text may be very long, or the service very busy.`
        : "The service cannot be reached. Is it still running, and are you online?",
    );
  }
}

function parsed(response, text) {
  if (!(response.headers.get("content-type") ?? "").includes("json")) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new ServiceError("The service answered with something that is not JSON. Is a proxy in between?", response.status);
  }
}

function explained(response, text) {
  const wait = response.headers.get("retry-after");
  const pause = wait ? ` Try again in ${wait} s.` : " Try again in a moment.";
  const said = lineOf(text);
  switch (response.status) {
    case 401:
    case 403:
      return "This service wants an API key. Enter one under “API key”, at the top.";
    case 413:
      return `That is more text than the service takes at once. ${said}`;
    case 429:
      return `The service is busy.${pause}`;
    case 503:
      return `The service is not ready: it is starting or stopping.${pause}`;
    default:
      return said || `The service answered ${response.status} and said no more.`;
  }
}

function lineOf(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}
