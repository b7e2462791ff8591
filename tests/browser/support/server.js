// The real binary, on free ports and an empty database.

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import pg from 'pg';

export const BINARY = path.resolve(
  process.env.LATCHKEY_BIN ?? fileURLToPath(new URL('../../../target/debug/latchkey', import.meta.url)),
);
/** Longer than the server gives requests in flight to finish. */
const STOP_WITHIN = 15_000;

/** The environment without the user's own settings. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('LATCHKEY_')),
);

/** An empty PostgreSQL database, dropped by `remove`. */
async function createDatabase() {
  const admin = process.env.LATCHKEY_TEST_POSTGRES;
  if (!admin) {
    throw new Error(
      'LATCHKEY_TEST_POSTGRES is not set: these tests need a PostgreSQL server. Run scripts/test, which starts one, ' +
        'or set it to the address of an administrator, such as postgres://latchkey@127.0.0.1:5432/postgres.',
    );
  }
  const name = `latchkey_browser_${randomBytes(6).toString('hex')}`;
  const asAdmin = async (statement) => {
    const client = new pg.Client({ connectionString: admin });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await asAdmin(`CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return { url: url.href, remove: () => asAdmin(`DROP DATABASE ${name} WITH (FORCE)`) };
}

export class Server {
  /** The public URL of the console, without a trailing slash. */
  console;
  /** The URL of the signed API. */
  api;
  /** The link that creates the first account. */
  setup;
  /** The server's log so far. */
  log = '';

  #process;
  #exited;
  #settings;
  #directory;
  #database;

  /** Starts a server on `database` (`'SQLite'` or `'PostgreSQL'`), with further arguments if needed. */
  static async start({ database = 'SQLite', args = [] } = {}) {
    const server = new Server();
    server.#database = database === 'PostgreSQL' ? await createDatabase() : undefined;
    server.#directory = await mkdtemp(path.join(tmpdir(), 'latchkey-browser-'));
    try {
      await server.#run(args);
    } catch (error) {
      await server.#clear();
      throw error;
    }
    return server;
  }

  async #run(args) {
    this.#settings = ['--data-dir', path.join(this.#directory, 'data')];
    if (this.#database) this.#settings.push('--database', this.#database.url);
    const listeners = ['--console', '127.0.0.1:0', '--api', '127.0.0.1:0'];
    // Its own directory is the working directory, so that it finds no settings file.
    this.#process = spawn(BINARY, [...listeners, ...this.#settings, ...args], {
      cwd: this.#directory,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.log += text;
    });
    this.#exited = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code, signal) => resolve(signal ?? code));
    });
    this.#exited.catch(() => {}); // reported where the exit is awaited
    const ready = {};
    const read = async () => {
      for await (const line of createInterface(this.#process.stdout)) {
        const [name, address] = line.split(' ');
        ready[name] = address;
        if (name === 'setup') break;
      }
      this.#process.stdout.resume();
    };
    await Promise.race([read(), this.#exited]);
    if (!ready.console || !ready.api || !ready.setup) {
      this.#process.kill('SIGKILL');
      await this.#exited;
      throw new Error(`${BINARY} did not print its addresses: ${JSON.stringify(ready)}\n${this.log}`);
    }
    this.api = ready.api;
    this.setup = ready.setup;
    this.console = new URL(ready.setup).origin;
  }

  /** Runs a command on the server's database, such as `account create NAME`, and returns its output. */
  async command(...args) {
    const options = { cwd: this.#directory, env: environment };
    const { stdout } = await promisify(execFile)(BINARY, [...args, ...this.#settings], options);
    return stdout;
  }

  /** The setup link in a command's output, with the address of this server. */
  linkFrom(printed) {
    return printed.match(/^setup (\S+)$/m)[1].replace(/^https?:\/\/[^/]+/, this.console);
  }

  /** Stops the server and removes its data. Fails if the server ends with an error or too late. */
  async stop() {
    this.#process.kill('SIGTERM');
    const late = setTimeout(() => this.#process.kill('SIGKILL'), STOP_WITHIN);
    const end = await this.#exited;
    clearTimeout(late);
    await this.#clear();
    if (end !== 0) throw new Error(`the server ended with ${end}\n${this.log}`);
  }

  async #clear() {
    await this.#database?.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
