/** The part of fs-native-extensions that seglog uses; the package brings no types. */
declare module "fs-native-extensions" {
  export function tryLock(descriptor: number, options: { readonly shared: boolean }): boolean;
  export function unlock(descriptor: number): void;
}
