// A signed request, as a client library sends it (TC3-HMAC-SHA256).

import { createHash, createHmac } from 'node:crypto';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

/** Asks the API for the identity of a key. Returns the content of the envelope: `AccountId` and more, or `Error`. */
export function callerIdentity(api, pair) {
  return call(api, pair, 'GetCallerIdentity');
}

/** Calls an action that takes no parameters. */
export async function call(api, { secretId, secretKey }, action) {
  const { host } = new URL(api);
  const body = '{}';
  const timestamp = Math.floor(Date.now() / 1000);
  const date = new Date(timestamp * 1000).toISOString().slice(0, 10);
  const scope = `${date}/sts/tc3_request`;
  const type = 'application/json';
  const canonical = `POST\n/\n\ncontent-type:${type}\nhost:${host}\n\ncontent-type;host\n${sha256(body)}`;
  const toSign = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`;
  const key = [date, 'sts', 'tc3_request'].reduce(hmac, `TC3${secretKey}`);
  const signature = hmac(key, toSign).toString('hex');
  const response = await fetch(api, {
    method: 'POST',
    body,
    headers: {
      'Content-Type': type,
      Authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, SignedHeaders=content-type;host, Signature=${signature}`,
      'X-TC-Action': action,
      'X-TC-Version': '2018-08-13',
      'X-TC-Timestamp': String(timestamp),
    },
  });
  return (await response.json()).Response;
}
