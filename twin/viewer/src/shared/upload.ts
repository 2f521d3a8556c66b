// Sends a file and tells how far it is; fetch cannot tell.
import { type Api, ApiError, withQuery } from "./api";
import type { ErrorBody } from "./types";

export interface Sent {
  method?: "POST" | "PUT";
  path: string;
  query?: Record<string, string>;
  mediaType: string;
  /** Called with what part of the file is sent, from 0 to 1. */
  onPart?: (part: number) => void;
  signal?: AbortSignal;
}

const CUT_OFF = "The server took no more of the file. It may be larger than the server allows, or the connection broke.";

/** Send a file; return the JSON answer. Throws ApiError; AbortError when `signal` says so. */
export function sendFile<T>(api: Api, file: File, { method = "POST", path, query = {}, mediaType, onPart, signal }: Sent): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, withQuery(path, query));
    request.setRequestHeader("Content-Type", mediaType);
    if (api.token) request.setRequestHeader("Authorization", `Bearer ${api.token}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => onPart?.(event.total > 0 ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response as T);
      else reject(new ApiError(request.status, (request.response ?? {}) as Partial<ErrorBody>));
    };
    request.onerror = () => reject(new ApiError(0, { error: "UNREACHABLE", message: CUT_OFF }));
    request.onabort = () => reject(new DOMException("The upload was ended.", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

export const MODEL_TYPE = "model/gltf-binary";
export const ARCHIVE_TYPE = "application/zip";

/** Return what a model is called after its file. */
export function modelName(file: string): string {
  return file.replace(/\.glb$/i, "").trim().slice(0, 200) || "model";
}

/** Refuses at once what cannot be a model: null, or why. */
export function whyNoModel(file: { name: string; size: number }): string | null {
  if (/\.gltf$/i.test(file.name)) return `${file.name} is glTF as text, which keeps its parts in other files: export it as glTF binary, .glb.`;
  if (file.size === 0) return `${file.name} is empty.`;
  return null;
}
