// sendOTP and verifyOTP: what they do to codes, users' limits and inboxes, which stay in memory.
// Nothing here awaits, so Node runs each call from its first read to its last write alone.
import * as crypto from 'node:crypto';

import { TOKEN_STATES } from './config.mjs';
import { Refusal, resultBody, sha256 } from './messages.mjs';

const HOUR = 3600_000;
const ADDRESSES = { MOBILE: 'phone', EMAIL: 'email' };

export class Otp {
  #config;
  #challenges = new Map(); // verifyRequestId -> challenge
  #limits = new Map(); // client and user -> { sends, failures, locks, lockedUntil }
  #failuresInARow = new Map(); // user -> number, over all clients
  #inboxes = new Map(); // user -> messages

  constructor(config) {
    this.#config = config;
  }

  inbox(user) {
    return this.#inboxes.get(user) ?? [];
  }

  /** Look up who is meant: the caller's ids first, then token, scope, expiry and user. */
  #findUser(client, { acquirerId, pspId, accessToken }) {
    const { users, policy } = this.#config;
    if (client.acquirers && !client.acquirers.includes(acquirerId)) {
      throw new Refusal('ACCESS_DENIED', 'acquirerId is not allowed.');
    }
    if (client.pspIds && !client.pspIds.includes(pspId)) {
      throw new Refusal('INVALID_CLIENT', 'pspId is not of this wallet.');
    }
    const user = users.get(accessToken);
    if (user?.client !== client.id) throw new Refusal('INVALID_TOKEN'); // of another client, too
    if (user.state === 'lookup_fails') throw new Error('the lookup of users is out of order');
    const refusal = TOKEN_STATES[user.state];
    if (refusal) throw new Refusal(refusal);
    if ((this.#failuresInARow.get(user.id) ?? 0) >= policy.disable_after) {
      throw new Refusal('USER_STATUS_ABNORMAL', 'OTP is off for the user.');
    }
    const key = JSON.stringify([client.id, user.id]);
    if (!this.#limits.has(key)) {
      const sends = { MOBILE: [], EMAIL: [] };
      this.#limits.set(key, { sends, failures: [], locks: 0, lockedUntil: 0 });
    }
    const owner = JSON.stringify([client.id, acquirerId, pspId, user.id]);
    return { user, limits: this.#limits.get(key), owner };
  }

  send(client, fields, now) {
    const { policy } = this.#config;
    const channel = fields.verifyType ?? 'MOBILE'; // null counts as absent
    if (typeof channel !== 'string' || !Object.hasOwn(ADDRESSES, channel)) { // ['EMAIL'] is none
      throw new Refusal('PARAM_ILLEGAL', 'verifyType is neither MOBILE nor EMAIL.');
    }
    const { user, limits, owner } = this.#findUser(client, fields);
    if (!user[ADDRESSES[channel]]) {
      throw new Refusal('PARAM_ILLEGAL', 'verifyType: the user has no such address.');
    }
    const sends = limits.sends[channel].filter((time) => time > now - 24 * HOUR);
    if (
      now < sends.at(-1) + policy.resend_interval_s * 1000
      || sends.length >= policy.sends_per_day
      || sends.filter((time) => time > now - HOUR).length >= policy.sends_per_hour
    ) throw new Refusal('OTP_SEND_TIMES_EXCEED_LIMIT');
    if (user.delivery === 'refused') throw new Refusal('PROCESS_FAIL'); // nothing went out
    limits.sends[channel] = [...sends, now];
    if (user.delivery === 'unknown') throw new Refusal('UNKNOWN_EXCEPTION'); // it may have gone out
    for (const [id, old] of this.#challenges) { // a new code replaces the old one
      const replaced = old.owner === owner && old.channel === channel;
      if (replaced || now >= old.expires) this.#challenges.delete(id);
    }
    const id = crypto.randomBytes(24).toString('base64url');
    const code = Array.from({ length: policy.digits }, () => crypto.randomInt(10)).join('');
    const expires = now + policy.expiry_s * 1000;
    this.#challenges.set(id, { owner, channel, digest: sha256(code), expires, tries: 0 });
    this.#inboxes.set(user.id, [...this.inbox(user.id), { code, channel, id }]);
    return resultBody('SUCCESS', '', { verifyRequestId: id });
  }

  verify(client, fields, now) {
    const { policy } = this.#config;
    // A code is ASCII digits and is never normalised: other text can't be right and spends nothing.
    if (!/^[0-9]+$/.test(fields.otpCode)) {
      throw new Refusal('PARAM_ILLEGAL', 'otpCode is not of digits.');
    }
    const { user, limits, owner } = this.#findUser(client, fields);
    const challenge = this.#challenges.get(fields.verifyRequestId);
    // Unknown, expired, used, replaced, of another owner: one answer, so that it tells nothing.
    if (!challenge || now >= challenge.expires || challenge.owner !== owner) {
      throw new Refusal('VERIFY_REQUEST_ID_INVALID');
    }
    if (challenge.tries >= policy.attempts) throw new Refusal('OTP_VERIFY_TIMES_EXCEED_LIMIT');
    if (now < limits.lockedUntil) {
      const seconds = Math.ceil((limits.lockedUntil - now) / 1000);
      throw new Refusal('OTP_VERIFY_TIMES_EXCEED_LIMIT', `The user is locked for ${seconds} s.`);
    }
    challenge.tries += 1;
    if (!crypto.timingSafeEqual(sha256(fields.otpCode), challenge.digest)) {
      this.#countFailure(user, limits, now);
      const last = challenge.tries >= policy.attempts || now < limits.lockedUntil;
      throw new Refusal(last ? 'OTP_VERIFY_TIMES_EXCEED_LIMIT' : 'OTP_VERIFY_UNMATCHED');
    }
    this.#challenges.delete(fields.verifyRequestId);
    Object.assign(limits, { failures: [], locks: 0 });
    this.#failuresInARow.delete(user.id);
    return resultBody('SUCCESS');
  }

  /** Count a wrong code over all OTPs of the user; each lock is twice as long as the last. */
  #countFailure(user, limits, now) {
    const { policy } = this.#config;
    this.#failuresInARow.set(user.id, (this.#failuresInARow.get(user.id) ?? 0) + 1);
    const start = now - policy.failure_window_s * 1000;
    limits.failures = [...limits.failures.filter((time) => time > start), now];
    if (limits.failures.length < policy.failures) return;
    limits.lockedUntil = now + policy.lock_s * 1000 * 2 ** limits.locks;
    limits.locks += 1;
    limits.failures = [];
  }
}
