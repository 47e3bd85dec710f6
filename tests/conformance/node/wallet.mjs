// A small wallet for tests: the MPP's endpoint of Alipay+ sendOTP and verifyOTP, in memory.
// It is written from the documents alone and shares nothing with the Python package, so that
// conformance cases can be tried on a server with other habits. README.md says how to run it.
import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import { readConfig } from './config.mjs';
import * as messages from './messages.mjs';
import { Otp } from './otp.mjs';

const { Refusal, resultBody } = messages;
const MOST_READ = 1 << 20; // bytes of a body after which the connection is closed
const COMMON = { acquirerId: 64, pspId: 64, accessToken: 128 };
const APIS = { // path below the mount -> method of Otp, required fields with their maximum lengths
  '/aps/api/v1/users/sendOTP': ['send', COMMON],
  '/aps/api/v1/users/verifyOTP': ['verify', { ...COMMON, verifyRequestId: 64, otpCode: 32 }],
};

class Wallet {
  #config;
  #otp;
  #answers = new Map(); // digest of a signed request -> its final answer
  #traffic = new Map(); // client or address -> requests of the running minute

  constructor(config) {
    this.#config = config;
    this.#otp = new Otp(config);
  }

  serve(incoming, response) {
    const { method } = incoming;
    const uri = incoming.url.replace(/^https?:\/\/[^/?]*/i, ''); // RFC 9112: the absolute form
    const [path, query] = uri.split('?');
    if (method === 'GET' && path === '/inbox') { // for tests, outside the protocol
      const asked = new URLSearchParams(query);
      const user = asked.get('user') ?? this.#config.users.get(asked.get('token'))?.id;
      const inbox = this.#otp.inbox(user);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ messages: inbox }));
      return;
    }
    if (!path.startsWith(`${this.#config.mount}/`)) {
      response.writeHead(404).end();
      return;
    }
    const header = (name) => { // undefined if absent; null if repeated, for neither value counts
      const [value, ...others] = incoming.headersDistinct[name] ?? [];
      return others.length ? null : value;
    };
    const most = this.#config.policy.body_bytes;
    const chunks = [];
    let size = 0;
    incoming.on('data', (chunk) => {
      size += chunk.length;
      if (size <= most) chunks.push(chunk);
      else if (size > MOST_READ) incoming.destroy();
    });
    incoming.on('end', () => {
      const request = { method, uri, path, address: incoming.socket.remoteAddress };
      this.#answer(request, header, size > most ? null : Buffer.concat(chunks), response);
    });
  }

  /** Write the answer with its time and signature: HTTP 200, whatever the result. */
  #answer(request, header, body, response) {
    const now = Date.now();
    const answer = withResult(() => this.#handle(request, header, body, now), header('tracerid'));
    // What is signed is what is on the wire, which for HEAD is nothing.
    const sent = Buffer.from(request.method === 'HEAD' ? '' : JSON.stringify(answer));
    const id = header('client-id');
    const client = messages.isClientId(id) ? id : ''; // a dot would give the text two readings
    const time = `${new Date(now).toISOString().slice(0, 19)}+00:00`;
    const { privateKey, keyVersion } = this.#config;
    const text = messages.signedText(request, client, time, sent);
    response.writeHead(200, {
      'content-type': 'application/json; charset=UTF-8',
      'content-length': sent.length,
      'cache-control': 'no-store',
      'client-id': client,
      'response-time': time,
      signature: messages.signatureHeader(text, privateKey, keyVersion),
    });
    response.end(sent);
  }

  /** Check a request, its signature before what its body says; then do its work. */
  #handle(request, header, body, now) {
    const { clients, policy, mount } = this.#config;
    this.#count(`address ${request.address}`, policy.requests_per_minute_by_address, now);
    const path = request.path.slice(mount.length);
    if (!Object.hasOwn(APIS, path)) throw new Refusal('NO_INTERFACE_DEF');
    if (request.method !== 'POST') throw new Refusal('METHOD_NOT_SUPPORTED');
    if (body === null) {
      throw new Refusal('PARAM_ILLEGAL', `The body is longer than ${policy.body_bytes} bytes.`);
    }
    const { client, text } = messages.authenticate(clients, request, header, body);
    messages.checkTime(header('request-time'), now, policy.time_window_s);
    this.#count(`client ${client.id}`, policy.requests_per_minute, now);
    messages.checkMediaType(header('content-type'));
    const [work, required] = APIS[path];
    const fields = messages.parseObject(body);
    messages.checkFields(fields, required);

    for (const [key, { until }] of this.#answers) { // the oldest come first
      if (now < until) break;
      this.#answers.delete(key);
    }
    const key = messages.sha256(text).toString('hex');
    const known = this.#answers.get(key);
    if (known) return known.answer; // an identical request is a retry: nothing is done again
    const answer = withResult(() => this.#otp[work](client, fields, now), header('tracerid'));
    if (answer.result.resultStatus !== 'U') { // U is not final: a retry may do better
      this.#answers.set(key, { answer, until: now + 2 * policy.time_window_s * 1000 });
    }
    return answer;
  }

  #count(who, most, now) {
    const minute = Math.floor(now / 60_000);
    const seen = this.#traffic.get(who);
    const count = seen?.minute === minute ? seen.count + 1 : 1;
    this.#traffic.set(who, { minute, count });
    if (count > most) throw new Refusal('REQUEST_TRAFFIC_EXCEED_LIMIT');
  }
}

/** Do the work; turn what it throws into an answer. */
function withResult(work, tracer) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return resultBody(error.code, error.detail);
    const reference = crypto.randomUUID();
    // The message of an error may hold what the request contained: it is not logged.
    console.error(`reference=${reference} tracer=${tracer ?? '-'} error=${error?.name}`);
    return resultBody('UNKNOWN_EXCEPTION', `Reference: ${reference}`);
  }
}

const { values: options } = parseArgs({
  options: { config: { type: 'string' }, port: { type: 'string', default: '0' } },
});
let wallet;
try {
  wallet = new Wallet(readConfig(JSON.parse(readFileSync(options.config, 'utf-8'))));
} catch (error) {
  // The message of a SyntaxError quotes the file, which holds the private key.
  const fault = error instanceof SyntaxError ? 'the file is not JSON' : error.message;
  console.error(`wallet.mjs: the configuration can't be used\n${fault}`);
  process.exit(2);
}
const server = createServer((incoming, response) => wallet.serve(incoming, response));
server.listen(Number(options.port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
