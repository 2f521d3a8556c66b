// Where the console is: the part of the address after '#', so that the server sees one page.
import { signal } from "@preact/signals";

/** Return the parts of a hash: "#/datasources/a%2Fb" → ["datasources", "a/b"]. */
export function partsOf(hash: string): string[] {
  return hash
    .replace(/^#?\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a '%' that somebody typed
  }
}

/** Return the address of a page of the console. */
export function to(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export const route = signal<string[]>([]);

/** Follow the address from now on. */
export function followAddress(): void {
  const read = () => {
    route.value = partsOf(location.hash);
  };
  addEventListener("hashchange", read);
  read();
}

/** Go to a page of the console. */
export function go(...parts: string[]): void {
  location.hash = to(...parts);
}
