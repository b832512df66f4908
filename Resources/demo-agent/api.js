// The agent's HTTP contract as the page uses it: JSON in, JSON out, errors that say what happened.

/** Sends a request and returns the answer's JSON, or null for 204. */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The agent does not answer. It may have been stopped.");
  }
  if (response.status === 204) return null;
  const isJSON = response.headers.get("Content-Type")?.startsWith("application/json");
  const value = isJSON ? await response.json() : await response.text();
  if (!response.ok) throw new Error(value?.data?.message ?? `${method} ${path} answered ${response.status}.`);
  return value;
}

/** The WebSocket address of a path on this origin. */
export function socketAddress(path) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
