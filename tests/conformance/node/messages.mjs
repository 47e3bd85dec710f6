// The messages of Alipay+: result codes, signatures, Request-Time, JSON bodies and their fields.
import * as crypto from 'node:crypto';

// The tables of both pages: code -> [resultStatus, resultMessage].
const RESULTS = {
  SUCCESS: ['S', 'Success'],
  ACCESS_DENIED: ['F', 'Access is denied.'],
  EXPIRED_ACCESS_TOKEN: ['F', 'The access token is expired.'],
  INVALID_CLIENT: ['F', 'The client is invalid.'],
  INVALID_SIGNATURE: ['F', 'The signature is invalid.'],
  INVALID_TOKEN: ['F', 'The access token is invalid.'],
  KEY_NOT_FOUND: ['F', 'The key is not found.'],
  MEDIA_TYPE_NOT_ACCEPTABLE: [
    'F', 'The server does not implement the media type that is acceptable to the client.',
  ],
  METHOD_NOT_SUPPORTED: ['F', 'The server does not implement the requested HTTPS method.'],
  NO_INTERFACE_DEF: ['F', 'API is not defined.'],
  OTP_SEND_TIMES_EXCEED_LIMIT: ['F', 'The times of sending OTP exceed the limit.'],
  OTP_VERIFY_TIMES_EXCEED_LIMIT: [
    'F', 'The OTP verification has failed too many times. The user must get a new OTP.',
  ],
  OTP_VERIFY_UNMATCHED: ['F', 'The OTP code is invalid.'],
  PARAM_ILLEGAL: ['F', 'Illegal parameters. For example, non-numeric input, invalid date.'],
  PROCESS_FAIL: ['F', 'A general business failure occurred. Do not retry.'],
  USER_NOT_EXIST: ['F', 'The user does not exist.'],
  USER_STATUS_ABNORMAL: ['F', 'The user status is abnormal.'],
  VERIFY_REQUEST_ID_INVALID: ['F', 'The value of the verifyRequestId parameter is invalid.'],
  REQUEST_TRAFFIC_EXCEED_LIMIT: ['U', 'The request traffic exceeds the limit.'],
  UNKNOWN_EXCEPTION: ['U', 'An API call failed, which is caused by unknown reasons.'],
};

/** An answer other than SUCCESS. */
export class Refusal extends Error {
  constructor(code, detail = '') {
    super(code);
    this.code = code;
    this.detail = detail;
  }
}

/** Return a body; its message is that of the table, word for word, and then the detail. */
export function resultBody(code, detail = '', members = {}) {
  const [resultStatus, message] = RESULTS[code];
  const resultMessage = `${message} ${detail}`.trim();
  return { result: { resultCode: code, resultStatus, resultMessage }, ...members };
}

export const sha256 = (data) => crypto.createHash('sha256').update(data).digest();

export const isClientId = (text) => /^[A-Za-z0-9_-]{1,64}$/.test(text ?? '');

/** Return what is signed. Node reads header values as latin1, so their bytes stay as they came. */
export function signedText({ method, uri }, client, time, body) {
  return Buffer.concat([Buffer.from(`${method} ${uri}\n${client}.${time}.`, 'latin1'), body]);
}

/** Write the signature header in the one form that all official clients can read. */
export function signatureHeader(text, privateKey, keyVersion) {
  const signature = encodeURIComponent(crypto.sign('sha256', text, privateKey).toString('base64'));
  return `algorithm=RSA256,keyVersion=${keyVersion},signature=${signature}`;
}

/** Return the items of a signature header; none if it is malformed. */
function parseSignature(header) {
  const items = new Map();
  for (const item of (header ?? '').split(',')) {
    const [name, value] = item.trim().split(/=(.*)/s); // raw base64 may end with "="
    if (value === undefined || items.has(name)) return new Map();
    items.set(name, value);
  }
  return items;
}

/** Undo percent-encoding, which leaves "+" alone, and base64, of which one spelling is read. */
function decodeSignature(text = '') {
  try {
    const base64 = decodeURIComponent(text);
    const bytes = Buffer.from(base64, 'base64');
    return bytes.toString('base64') === base64 ? bytes : Buffer.alloc(0);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Check who signed the request, over the bytes of its body; return the client and the text. */
export function authenticate(clients, request, header, body) {
  const id = header('client-id');
  const client = clients.get(id);
  if (!client) throw new Refusal('INVALID_CLIENT');
  const items = parseSignature(header('signature'));
  const newest = [...client.keys.keys()].at(-1);
  const key = client.keys.get(items.get('keyVersion') ?? newest);
  if (!key) throw new Refusal('KEY_NOT_FOUND');
  const time = header('request-time');
  const text = signedText(request, id, time, body);
  const signature = decodeSignature(items.get('signature'));
  const padding = crypto.constants.RSA_PKCS1_PADDING;
  if (
    typeof time !== 'string'
    || items.get('algorithm')?.toUpperCase() !== 'RSA256'
    || !crypto.verify('sha256', text, { key, padding }, signature)
  ) throw new Refusal('INVALID_SIGNATURE');
  return { client: { id, ...client }, text };
}

/** Refuse a Request-Time that is no time, or is too far from now in either direction. */
export function checkTime(text, now, windowSeconds) {
  const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
  const time = /^\d{1,15}$/.test(text) ? Number(text) : iso.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) throw new Refusal('PARAM_ILLEGAL', 'Request-Time is not a time.');
  if (Math.abs(now - time) > windowSeconds * 1000) {
    throw new Refusal('ACCESS_DENIED', 'Request-Time is too far from the time of the server.');
  }
}

/** Refuse a media type other than JSON in UTF-8; a request may come without the header. */
export function checkMediaType(header) {
  if (header === undefined) return;
  const [type, ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charsets = parameters.filter((parameter) => parameter.startsWith('charset='));
  const utf8 = charsets.every((parameter) => /^charset="?utf-8"?$/.test(parameter));
  if (!utf8 || !/^application\/([\w.+-]+\+)?json$/.test(type)) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE');
  }
}

/** Return the one JSON object that a body is. */
export function parseObject(body) {
  let text, value;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    value = JSON.parse(text);
  } catch {
    throw new Refusal('PARAM_ILLEGAL', 'The body is not JSON in UTF-8.');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Refusal('PARAM_ILLEGAL', 'The body is not an object.');
  }
  // JSON.parse keeps the last of repeated keys; so look for them in the text, which is valid JSON.
  const scopes = [];
  for (const [token, key] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') scopes.push(new Set());
    else if (token === '}') scopes.pop();
    else if (key !== undefined) {
      const keys = scopes.at(-1);
      if (keys.size === keys.add(JSON.parse(key)).size) {
        throw new Refusal('PARAM_ILLEGAL', 'The body repeats a key.');
      }
    }
  }
  return value;
}

/** Refuse a field that is missing, of another type, empty or too long; null counts as missing. */
export function checkFields(fields, required) {
  for (const [name, most] of Object.entries(required)) {
    const value = fields[name] ?? undefined;
    if (value === undefined) throw new Refusal('PARAM_ILLEGAL', `${name} is missing.`);
    if (typeof value !== 'string' || value === '') {
      throw new Refusal('PARAM_ILLEGAL', `${name} is not a text or is empty.`);
    }
    if ([...value].length > most) {
      throw new Refusal('PARAM_ILLEGAL', `${name} is longer than ${most} characters.`);
    }
  }
}
