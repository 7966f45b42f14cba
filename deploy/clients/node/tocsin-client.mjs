#!/usr/bin/env node
/*
 * Follows the alerts of one lane of Tocsin; misses none and doubles none.
 *
 *   import { Client } from './tocsin-client.mjs';
 *   for await (const item of new Client('redis://127.0.0.1:6379').follow()) {
 *     if (item.type === 'snapshot')
 *       show(item.alerts);       // all open alerts; forget what was shown
 *     else
 *       apply(item.record);      // one transition, in the order of seq
 *     remember(item.cursor);     // where to go on: { cursor }
 *   }
 *
 * or on the command line, as JSON lines:
 *
 *   tocsin-client.mjs --url unix:///run/redis.sock
 *   tocsin-client.mjs --append alerts.jsonl
 *
 * Needs Node 18 and nothing else. How it works, and what the reason of a
 * snapshot means, stands in python/tocsin_client.py: the two do the same.
 */
import fs from 'node:fs';
import net from 'node:net';
import { pathToFileURL } from 'node:url';

const NO_HASH = '0'.repeat(64);
const REMEMBERED = 4096; // hashes, to tell the same history from another one

/* An error that Redis answered with. */
export class RedisError extends Error {}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/*
 * Answers come in any pieces, and one that is not whole yet is read from its
 * start again when more has come.
 */
class Answers {
  #bytes = Buffer.alloc(0);

  add(piece) {
    this.#bytes = Buffer.concat([this.#bytes, piece]);
  }

  /* The next whole answer, or undefined. */
  next() {
    const found = this.#value(0);
    if (found)
      this.#bytes = this.#bytes.subarray(found.end);
    return found;
  }

  #value(at) {
    const line = this.#bytes.indexOf('\r\n', at);
    if (line < 0)
      return undefined;
    const rest = this.#bytes.toString('utf8', at + 1, line);
    const end = line + 2;
    switch (String.fromCharCode(this.#bytes[at])) {
    case '+':
      return { value: rest, end };
    case '-':
      return { value: new RedisError(rest), end };
    case ':':
      return { value: Number(rest), end };
    case '$':
      return this.#bulk(Number(rest), end);
    case '*':
      return this.#array(Number(rest), end);
    default:
      throw new Error('not RESP');
    }
  }

  #bulk(size, at) {
    if (size < 0)
      return { value: null, end: at };
    if (this.#bytes.length < at + size + 2)
      return undefined;
    return { value: this.#bytes.toString('utf8', at, at + size),
      end: at + size + 2 };
  }

  #array(size, at) {
    if (size < 0)
      return { value: null, end: at };
    const value = [];
    for (let i = 0; i < size; i++) {
      const item = this.#value(at);
      if (!item)
        return undefined;
      value.push(item.value);
      at = item.end;
    }
    return { value, end: at };
  }
}

function address(url) {
  const parts = new URL(url);
  if (parts.protocol === 'unix:')
    return { path: decodeURIComponent(parts.pathname) };
  if (parts.protocol !== 'redis:')
    throw new Error('an address begins with redis:// or unix://');
  return { host: parts.hostname || '127.0.0.1',
    port: Number(parts.port || 6379) };
}

/*
 * After any failure a connection is dropped, never used on: late answers would
 * be paired with new questions.
 */
class Connection {
  #socket;
  #answers = new Answers();
  #asked = [];
  #failure = null;
  #timeout;

  static async open(url, user, password, timeout) {
    const connection = new Connection();
    connection.#timeout = timeout;
    connection.#socket = net.connect(address(url));
    connection.#listen();
    try {
      if (password)
        await connection.ask('AUTH', ...(user ? [user] : []), password);
      const parts = new URL(url);
      const database = parts.protocol === 'redis:'
        ? parts.pathname.replaceAll('/', '') : '';
      if (database)
        await connection.ask('SELECT', database);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #listen() {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on('data', (piece) => {
      try {
        this.#answers.add(piece);
        for (let a = this.#answers.next(); a; a = this.#answers.next())
          this.#asked.shift()?.resolve(a.value);
      } catch (error) {
        this.#fail(error);
      }
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close',
      () => this.#fail(new Error('Redis closed the connection')));
    socket.setTimeout(this.#timeout,
      () => this.#fail(new Error('Redis does not answer')));
  }

  #fail(error) {
    this.#failure ??= error;
    this.#socket.destroy();
    for (const asked of this.#asked.splice(0))
      asked.reject(this.#failure);
  }

  close() {
    this.#fail(new Error('closed'));
  }

  /* Several at once; errors stand among the answers. */
  many(commands) {
    if (this.#failure)
      return Promise.reject(this.#failure);
    const promises = commands.map(() => new Promise((resolve, reject) =>
      this.#asked.push({ resolve, reject })));
    this.#socket.write(commands.map((words) =>
      `*${words.length}\r\n` + words.map((word) =>
        `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join('')
    ).join(''));
    return Promise.all(promises);
  }

  /* One command; an error it is answered with is thrown. */
  async ask(...words) {
    const [answer] = await this.many([words]);
    if (answer instanceof RedisError)
      throw answer;
    return answer;
  }
}

function pairs(flat) {
  const found = {};
  for (let i = 0; i < flat.length; i += 2)
    found[flat[i]] = flat[i + 1];
  return found;
}

function refuse(answers) {
  for (const answer of answers) {
    if (answer instanceof RedisError)
      throw answer;
  }
  return answers;
}

/*
 * cursor: the `cursor` of the last item that was dealt with; without it
 * follow() begins with a snapshot. block: seconds between two looks at the
 * fence. onError: called with each failure of a connection.
 */
export class Client {
  #stream;
  #open;
  #fence;
  #alert;
  #held = new Map(); // id -> seq that the snapshot holds
  #due; // why a snapshot is due; it still is if the connection broke in it
  #hashes = new Map();
  #stopped = false;

  constructor(url = 'redis://127.0.0.1:6379', { lane = '0',
    prefix = 'tocsin', user, password, cursor, block = 1,
    onError = () => {} } = {}) {
    this.url = url;
    this.user = user;
    this.password = password;
    this.block = block;
    this.onError = onError;
    this.cursor = cursor ? { ...cursor } : null;
    this.#due = cursor ? null : 'start';
    const base = `${prefix}:{${lane}}:`;
    this.#stream = base + 'alerts';
    this.#open = base + 'open';
    this.#fence = base + 'fence';
    this.#alert = base + 'alert:';
    if (this.cursor)
      this.#remember(this.cursor.seq, this.cursor.hash);
  }

  /* follow() ends at the next item or look at the fence. */
  stop() {
    this.#stopped = true;
  }

  /*
   * Yields snapshots and transitions, for ever; connects again when the
   * connection breaks. What was yielded is never yielded again.
   */
  async * follow() {
    let pause = 50;
    while (!this.#stopped) {
      let connection;
      try {
        connection = await Connection.open(this.url, this.user,
          this.password, this.block * 1000 + 15000);
        for await (const item of this.#session(connection)) {
          pause = 50;
          yield item;
          if (this.#stopped)
            return;
        }
      } catch (error) {
        if (error instanceof SyntaxError || error instanceof TypeError)
          throw error;
        this.onError(error);
        await sleep(pause);
        pause = Math.min(pause * 2, 2000);
      } finally {
        connection?.close();
      }
    }
  }

  async * #session(connection) {
    this.#due = this.#due || await this.#look(connection);
    while (!this.#stopped) {
      if (this.#due) {
        const item = await this.#snapshot(connection, this.#due);
        this.#due = null;
        yield item;
      }
      const entries = await this.#read(connection);
      if (!entries.length) {
        this.#due = await this.#look(connection);
        continue;
      }
      for (const entry of entries) {
        const joined = this.#join(entry);
        this.#due = joined.reason;
        if (this.#due)
          break;
        if (joined.record)
          yield this.#item({ type: 'transition', record: joined.record });
      }
    }
  }

  #item({ type, ...more }) {
    return { type, cursor: { ...this.cursor }, ...more };
  }

  async #read(connection) {
    const answer = await connection.ask('XREAD', 'COUNT', 256, 'BLOCK',
      Math.max(1, Math.round(this.block * 1000)), 'STREAMS', this.#stream,
      `${this.cursor.seq}-0`);
    return answer ? answer[0][1] : [];
  }

  #join([id, fields]) {
    const seq = Number(id.split('-')[0]);
    const record = JSON.parse(pairs(fields).json);
    if (seq !== this.cursor.seq + 1)
      return { reason: 'gap' };
    if (record.prev_hash !== this.cursor.hash)
      return { reason: 'hash' };
    this.cursor.seq = seq;
    this.cursor.hash = record.hash;
    this.#remember(seq, record.hash);
    return seq <= (this.#held.get(record.id) ?? 0) ? {} : { record };
  }

  #remember(seq, hash) {
    this.#hashes.set(seq, hash);
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size <= REMEMBERED)
        break;
      this.#hashes.delete(oldest);
    }
  }

  /*
   * Why the fence says that this is another history, or null. An older mark of
   * the same one is no reason: the daemon writes it again.
   */
  async #look(connection) {
    const [mark, hash, chain] = await connection.ask('HMGET', this.#fence,
      'mark', 'hash', 'chain');
    this.cursor.chain ||= chain;
    if (chain && chain !== this.cursor.chain)
      return 'chain';
    const known = this.#hashes.get(Number(mark));
    return mark && hash && known && known !== hash ? 'hash' : null;
  }

  async #snapshot(connection, reason) {
    const [[mark, hash, chain], last] = await this.#ends(connection);
    this.#hashes.clear();
    this.cursor = { seq: Number(mark ?? 0), hash: hash || NO_HASH, chain };
    if (last.length) {
      this.cursor.seq = Number(last[0][0].split('-')[0]);
      this.cursor.hash = JSON.parse(pairs(last[0][1]).json).hash;
    }
    this.#remember(this.cursor.seq, this.cursor.hash);
    const alerts = await this.#openAlerts(connection);
    this.#held = new Map(alerts.map((a) => [a.id, a.seq]));
    return this.#item({ type: 'snapshot', reason, alerts });
  }

  /* The fence and the last entry, of one moment. */
  async #ends(connection) {
    const answers = refuse(await connection.many([
      ['MULTI'],
      ['HMGET', this.#fence, 'mark', 'hash', 'chain'],
      ['XREVRANGE', this.#stream, '+', '-', 'COUNT', 1],
      ['EXEC']]));
    return refuse(answers.at(-1));
  }

  /* Records of what is open, the gravest first. */
  async #openAlerts(connection) {
    const ids = await connection.ask('ZREVRANGE', this.#open, 0, -1);
    const alerts = [];
    for (let begin = 0; begin < ids.length; begin += 256) {
      const some = ids.slice(begin, begin + 256);
      const answers = refuse(await connection.many(some.map((id) =>
        ['HGET', this.#alert + id, 'json'])));
      for (const answer of answers) {
        const record = answer ? JSON.parse(answer) : { open: false };
        // What was closed meanwhile comes as a transition.
        if (record.open)
          alerts.push(record);
      }
    }
    return alerts;
  }
}

/*
 * Items as lines of a file that is its own cursor: what stands there has been
 * seen, and a line that was cut is written again.
 */
class Appender {
  #file;

  constructor(path) {
    this.#file = fs.openSync(path, 'a+');
    const bytes = fs.readFileSync(path);
    const whole = bytes.lastIndexOf('\n') + 1;
    fs.ftruncateSync(this.#file, whole);
    if (whole) {
      const before = bytes.lastIndexOf('\n', whole - 2) + 1;
      this.cursor = JSON.parse(bytes.toString('utf8', before, whole)).cursor;
    }
  }

  write(item) {
    const line = Buffer.from(JSON.stringify(item) + '\n');
    for (let at = 0; at < line.length;)
      at += fs.writeSync(this.#file, line, at);
  }
}

class Printer {
  write(item) {
    process.stdout.write(JSON.stringify(item) + '\n');
  }
}

const USAGE = `usage: tocsin-client.mjs [--url URL] [--lane LANE]
  [--prefix PREFIX] [--user USER] [--block SECONDS] [--append FILE]

Follows the alerts of a lane, one JSON line an item. URL is
redis://HOST:PORT/DATABASE or unix:///SOCKET. With --append the lines go to
FILE, and a new start goes on after its last line. The password comes from
TOCSIN_REDIS_PASSWORD.`;

function options(words) {
  const found = { url: 'redis://127.0.0.1:6379', lane: '0', prefix: 'tocsin',
    user: undefined, block: '1', append: undefined };
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i].replace(/^--/, '');
    if (words[i] === '--help' || !words[i].startsWith('--') ||
        !(name in found) || i + 1 === words.length) {
      const helped = words[i] === '--help';
      (helped ? process.stdout : process.stderr).write(USAGE + '\n');
      process.exit(helped ? 0 : 2);
    }
    found[name] = words[i + 1];
  }
  return found;
}

async function main() {
  const given = options(process.argv.slice(2));
  const output = given.append ? new Appender(given.append) : new Printer();
  process.on('SIGINT', () => process.exit(0));
  process.stdout.on('error', () => process.exit(0));
  const client = new Client(given.url, { ...given,
    block: Number(given.block), cursor: output.cursor,
    password: process.env.TOCSIN_REDIS_PASSWORD,
    onError: (error) => console.error(`tocsin-client: ${error.message}`) });
  for await (const item of client.follow())
    output.write(item);
}

if (process.argv[1] &&
    import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href)
  await main();
