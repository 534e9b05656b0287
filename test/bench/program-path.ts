import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where Debian puts servers, which is not on every user's path. */
const MORE_PLACES = ["/usr/sbin", "/usr/local/sbin"];

/** The path of a program that is installed on this machine, or `undefined`. */
export function programPath(name: string): string | undefined {
  const places = [...(process.env.PATH ?? "").split(delimiter), ...MORE_PLACES];
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}
