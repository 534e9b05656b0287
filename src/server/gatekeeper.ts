import type { SecureContextOptions } from "node:tls";
import { type Access, FULL_ACCESS } from "./access.js";
import type { Secrets } from "./serve-options.js";
import { readTlsFiles } from "./tls-files.js";
import { Tokens } from "./tokens.js";

/** Knows the certificates and the tokens of a server, as the files were when it last looked. */
export class Gatekeeper {
  readonly #secrets: Secrets;
  #tls: SecureContextOptions | undefined;
  #tokens: Tokens | undefined;

  private constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** @throws As `readTlsFiles` and `Tokens.read`. */
  static async read(secrets: Secrets): Promise<Gatekeeper> {
    const gatekeeper = new Gatekeeper(secrets);
    await gatekeeper.reload();
    return gatekeeper;
  }

  /** `undefined` without TLS. */
  get tls(): SecureContextOptions | undefined {
    return this.#tls;
  }

  /**
   * Reads the files again; if one of them cannot be used, all stays as it was.
   *
   * @throws As {@link read}.
   */
  async reload(): Promise<void> {
    const { tls, tokens } = this.#secrets;
    const newTls = tls && (await readTlsFiles(tls));
    const newTokens = tokens === undefined ? undefined : await Tokens.read(tokens);
    this.#tls = newTls;
    this.#tokens = newTokens;
  }

  /**
   * What the sender of an `authorization` header may do.
   *
   * @throws SeglogError `UNAUTHENTICATED`.
   */
  accessOf(authorization: string | undefined): Access {
    return this.#tokens === undefined ? FULL_ACCESS : this.#tokens.accessOf(authorization);
  }
}
