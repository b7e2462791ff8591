// Makes the calls that are asked for, one a line of JSON, with the Node SDK as its users have it, and writes what comes
// of each, one a line.

import { Agent } from 'node:http';
import { createInterface } from 'node:readline';

import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/index.js';
import { cam } from 'tencentcloud-sdk-nodejs/tencentcloud/services/cam/index.js';
import { sts } from 'tencentcloud-sdk-nodejs/tencentcloud/services/sts/index.js';

const PRODUCTS = { cam: cam.v20190116.Client, sts: sts.v20180813.Client };

// Kept alive, so that a disabled key is refused on a connection it has opened before.
const agent = new Agent({ keepAlive: true });

const RealDate = Date;

/** The SDK signs with the time of `Date`; this is that of a machine whose clock is wrong. */
function setClock(skewSeconds) {
  const now = () => RealDate.now() + skewSeconds * 1000;
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      super(...(parts.length ? parts : [now()]));
    }

    static now() {
      return now();
    }
  };
}

function clientFor({ endpoint, signMethod, reqMethod, language, headers, credential, product, version }) {
  const httpProfile = { protocol: 'http://', endpoint, reqMethod, reqTimeout: 30, headers, agent };
  const settings = { credential, region: 'ap-guangzhou', profile: { signMethod, language, httpProfile } };
  return version ? new CommonClient(endpoint, version, settings) : new PRODUCTS[product](settings);
}

function send(client, { action, params, options = {}, octets, own }) {
  if (octets !== undefined) return client.requestOctetStream(action, Buffer.from(octets));
  // As it is meant to be used: a method for each action.
  if (own) return client[action](params);
  return client.request(action, params, options);
}

async function outcome(call) {
  setClock(call.skewSeconds ?? 0);
  try {
    return { answer: await send(clientFor(call), call) };
  } catch (error) {
    const { code, message, requestId, httpCode } = error;
    // Without a code it is not the API's refusal, and called by a name that no refusal of the API's has.
    return { error: { code: code ?? (httpCode ? `HTTP ${httpCode}` : 'NoAnswer'), message, requestId } };
  } finally {
    globalThis.Date = RealDate;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
}
agent.destroy();
