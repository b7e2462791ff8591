// Makes calls with the Node SDK, as its users would. Reads one call per line of JSON, and writes the outcome of each as
// a line.

import { Agent } from 'node:http';
import { createInterface } from 'node:readline';

import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/index.js';
import { cam } from 'tencentcloud-sdk-nodejs/tencentcloud/services/cam/index.js';
import { sts } from 'tencentcloud-sdk-nodejs/tencentcloud/services/sts/index.js';

const PRODUCTS = { cam: cam.v20190116.Client, sts: sts.v20180813.Client };

// Connections are kept alive, so that a disabled key is refused on an existing connection.
const agent = new Agent({ keepAlive: true });

const RealDate = Date;

/** The SDK signs with the time of `Date`. This makes it the time of a machine whose clock is wrong. */
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
  // The intended use: a method for each action.
  if (own) return client[action](params);
  return client.request(action, params, options);
}

async function outcome(call) {
  setClock(call.skewSeconds ?? 0);
  try {
    return { answer: await send(clientFor(call), call) };
  } catch (error) {
    const { code, message, requestId, httpCode } = error;
    // An error without a code does not come from the API, and gets a name that no error of the API has.
    return { error: { code: code ?? (httpCode ? `HTTP ${httpCode}` : 'NoAnswer'), message, requestId } };
  } finally {
    globalThis.Date = RealDate;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
}
agent.destroy();
