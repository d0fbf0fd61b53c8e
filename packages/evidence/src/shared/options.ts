/** Where a shared log is. */
export interface DatabaseOptions {
  /** Name or address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** One log a schema. */
  readonly schema: string;
  /** Asked for at each connection. Null: as PostgreSQL's own clients find it, in `PGPASSWORD` or a password file. */
  readonly password: (() => Promise<string>) | null;
  /** Null: without TLS. The server's name and certificate are checked otherwise. */
  readonly tls: {
    /** Authorities in PEM; null: those of the system. */
    readonly ca: string | null;
    /** What the server shows of itself, in PEM; null: nothing. */
    readonly certificate: string | null;
    readonly key: string | null;
  } | null;
}
