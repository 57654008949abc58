// A file straight to object storage, in parts; the API only signs.

import { call, get, post } from "./api.js";
import { pause } from "./dom.js";

const PARALLEL = 3;
const TRIES = 5;
const WAIT_MS = 500;
const REFUSED = 403;

/** Send `file`; `moved` is told the bytes that have gone out. Resolves to the file's S3 URI. */
export async function upload(file, moved, signal) {
  const begun = await post("uploads", { name: file.name, size: file.size }, signal);
  const path = `uploads/${encodeURIComponent(begun.upload_id)}`;
  try {
    const sent = await new Parts(file, begun, path, moved, signal).send();
    return (await call("POST", `${path}/complete`, { body: { parts: sent }, signal })).uri;
  } catch (error) {
    call("DELETE", path).catch(() => {});
    throw error;
  }
}

/** The parts of one file on their way, a few at a time. */
class Parts {
  constructor(file, { parts, part_size: size }, path, moved, signal) {
    Object.assign(this, { file, size, path, moved, signal });
    this.urls = new Map(parts.map((part) => [part.number, part.url]));
    this.total = Math.max(1, Math.ceil(file.size / size));
    this.out = new Map();
    this.sent = [];
    this.next = 1;
  }

  async send() {
    await Promise.all(Array.from({ length: Math.min(PARALLEL, this.total) }, () => this.worker()));
    return this.sent.sort((a, b) => a.number - b.number);
  }

  async worker() {
    while (this.next <= this.total) {
      const number = this.next++;
      this.sent.push({ number, etag: await this.patiently(number) });
    }
  }

  async patiently(number) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.put(number, await this.url(number));
      } catch (error) {
        if (this.signal.aborted || tries === TRIES) throw error;
        if (error.status === REFUSED) this.urls.delete(number);
        await pause(WAIT_MS * 2 ** tries * Math.random(), this.signal);
      }
    }
  }

  async url(number) {
    if (!this.urls.has(number)) {
      const { parts } = await get(`${this.path}/parts?first=${number}`, this.signal);
      for (const part of parts) this.urls.set(part.number, part.url);
    }
    return this.urls.get(number);
  }

  /** One part; its etag. XMLHttpRequest, as fetch does not tell how much has gone out. */
  put(number, url) {
    const body = this.file.slice((number - 1) * this.size, number * this.size);
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    this.signal.addEventListener("abort", stop, { once: true });
    return new Promise((resolve, reject) => {
      const fail = (why, status) => reject(Object.assign(new Error(why), { status }));
      request.upload.onprogress = (event) => this.count(number, event.loaded);
      request.onload = () => {
        if (request.status >= 300) return fail(`storage answered ${request.status}`, request.status);
        this.count(number, body.size);
        resolve(request.getResponseHeader("ETag") ?? fail("storage hides its ETag: allow this page's origin in the bucket's CORS rules"));
      };
      request.onerror = () => fail("storage cannot be reached");
      request.onabort = () => reject(this.signal.reason);
      request.open("PUT", url);
      request.send(body);
    }).finally(() => this.signal.removeEventListener("abort", stop));
  }

  count(number, bytes) {
    this.out.set(number, bytes);
    this.moved([...this.out.values()].reduce((sum, value) => sum + value, 0));
  }
}
