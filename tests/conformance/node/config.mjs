// The configuration of the wallet, read once; all its faults are reported together.
import * as crypto from 'node:crypto';

import { isClientId } from './messages.mjs';

// Keys of "policy": [default, least, most]. The bounds are those that the documents set:
// 10^6 codes, a life of 600 s, 5 tries, and no daily cap below 3.
const POLICY = {
  digits: [6, 6, 32],
  expiry_s: [300, 1, 600],
  attempts: [5, 1, 5],
  resend_interval_s: [30, 0, 3600],
  sends_per_hour: [10, 1, 1e6],
  sends_per_day: [30, 3, 1e6],
  failures: [10, 1, 100],
  failure_window_s: [3600, 1, 86400],
  lock_s: [900, 1, 86400],
  disable_after: [100, 1, 100],
  time_window_s: [300, 1, 3600],
  body_bytes: [16384, 1024, 1048576],
  requests_per_minute: [600, 1, 1e6],
  requests_per_minute_by_address: [6000, 1, 1e6],
};

// What the lookup of a token finds: the result code that it stands for.
export const TOKEN_STATES = {
  valid: null,
  revoked: 'INVALID_TOKEN',
  no_scope: 'INVALID_TOKEN',
  expired: 'EXPIRED_ACCESS_TOKEN',
  no_user: 'USER_NOT_EXIST',
  frozen: 'USER_STATUS_ABNORMAL',
  closed: 'USER_STATUS_ABNORMAL',
  lookup_fails: 'UNKNOWN_EXCEPTION',
};
const DELIVERIES = ['accepted', 'refused', 'unknown'];

export function readConfig(raw) {
  const faults = [];
  const check = (ok, fault) => ok || faults.push(fault);

  const parse = (name, create, pem) => {
    try {
      const key = create(pem);
      const strong = key.asymmetricKeyDetails.modulusLength >= 2048;
      check(key.asymmetricKeyType === 'rsa' && strong, `${name}: use RSA of at least 2048 bits`);
      return key;
    } catch {
      check(false, `${name}: use a key in PEM`);
    }
  };
  const clients = new Map();
  for (const [id, { publicKey, publicKeys, ...rest }] of Object.entries(raw.clients ?? {})) {
    check(isClientId(id), `clients: ${id} is not a client id`);
    const keys = Object.entries(publicKeys ?? { 1: publicKey }).map(([version, pem]) => (
      [version, parse(`clients.${id}, key ${version}`, crypto.createPublicKey, pem)]));
    clients.set(id, { ...rest, keys: new Map(keys) });
  }
  const privateKey = parse('privateKey', crypto.createPrivateKey, raw.privateKey);

  const users = new Map();
  for (const [token, user] of Object.entries(raw.users ?? {})) {
    const { state = 'valid', delivery = 'accepted' } = user;
    check(clients.has(user.client), `users: ${user.id} has a token of an unknown client`);
    check(Object.hasOwn(TOKEN_STATES, state), `users: ${user.id} has an unknown state`);
    check(DELIVERIES.includes(delivery), `users: ${user.id} has an unknown delivery`);
    users.set(token, { ...user, state, delivery });
  }

  const policy = {};
  for (const [name, [usual, least, most]] of Object.entries(POLICY)) {
    const value = raw.policy?.[name] ?? usual;
    const ok = Number.isInteger(value) && value >= least && value <= most;
    check(ok, `policy.${name}: use a number from ${least} to ${most}`);
    policy[name] = value;
  }
  for (const name of Object.keys(raw.policy ?? {})) {
    check(Object.hasOwn(POLICY, name), `policy.${name} is no key; use ${Object.keys(POLICY)}`);
  }

  if (faults.length) throw new Error(faults.join('\n'));
  const mount = (raw.mount ?? '/').replace(/\/+$/, '');
  return { clients, privateKey, keyVersion: String(raw.keyVersion ?? 1), users, policy, mount };
}
