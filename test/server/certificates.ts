import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A certificate and its key, by the paths of their files. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

const CONFIGURATION = `
[ca]
default_ca = own
[own]
database = index.txt
default_md = sha256
default_crl_days = 1
crlnumber = crlnumber
certificate = authority.crt
private_key = authority.key
`;

/** An authority that lives as long as the test. */
export class Authority {
  readonly certificate: string;
  readonly #directory = temporaryDirectory();

  constructor(name: string) {
    this.certificate = join(this.#directory, "authority.crt");
    writeFileSync(join(this.#directory, "openssl.cnf"), CONFIGURATION);
    writeFileSync(join(this.#directory, "index.txt"), "");
    writeFileSync(join(this.#directory, "crlnumber"), "01\n");
    this.#selfSigned("authority", name, []);
  }

  /** A certificate of this authority, for 127.0.0.1. */
  issue(name: string): Issued {
    const authority = ["-CA", "authority.crt", "-CAkey", "authority.key"];
    const address = ["-addext", "subjectAltName=IP:127.0.0.1"];
    const isNoAuthority = ["-addext", "basicConstraints=critical,CA:FALSE"];
    return this.#selfSigned(name, name, [...authority, ...address, ...isNoAuthority]);
  }

  /** Revokes nothing more than before. @returns the path of the list of what is revoked. */
  revocationList(): string {
    this.#openssl("ca", "-config", "openssl.cnf", "-gencrl", "-out", "revoked.pem");
    return join(this.#directory, "revoked.pem");
  }

  /** Revokes a certificate. @returns as {@link revocationList}. */
  revoke({ certificate }: Issued): string {
    this.#openssl("ca", "-config", "openssl.cnf", "-revoke", certificate);
    return this.revocationList();
  }

  #selfSigned(file: string, name: string, more: readonly string[]): Issued {
    const [certificate, key] = [`${file}.crt`, `${file}.key`];
    this.#openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "1", "-subj", `/CN=${name}`, "-out", certificate, "-keyout", key, ...more],
    );
    return { certificate: join(this.#directory, certificate), key: join(this.#directory, key) };
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.#directory, stdio: "pipe" });
  }
}
