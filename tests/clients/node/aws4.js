// Sends a request signed with Signature Version 4 by one of the libraries that do, or presigns a URL. Reads it as JSON
// from the command line, and writes status and body, or the URL, as JSON.

import { request as send } from 'node:http';

import { Sha256 } from '@aws-crypto/sha256-js';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import aws4 from 'aws4';
import { AwsClient } from 'aws4fetch';

const { signer, method, url, body, headers, id, secret, seconds } = JSON.parse(process.argv[2]);
const [region, service] = ['eu-west-1', 'shop'];
const credentials = { accessKeyId: id, secretAccessKey: secret };
const { hostname, port, host, pathname, search, searchParams } = new URL(url);

const overHttp = (signed, path) =>
  new Promise((resolve, reject) => {
    const sent = send({ hostname, port, method, path, headers: signed }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() }));
    });
    sent.on('error', reject);
    sent.end(body);
  });

const forSmithy = () => {
  // A name that stands more than once has a list of values.
  const query = Object.fromEntries([...searchParams.keys()].map((name) => [name, searchParams.getAll(name)]));
  const asked = { method, protocol: 'http:', hostname, port: Number(port), path: pathname, query, body };
  return new HttpRequest({ ...asked, headers: { ...headers, host } });
};

const SIGNERS = {
  aws4: () => {
    const asked = { service, region, method, host, path: pathname + search, headers: { ...headers }, body };
    const signed = aws4.sign(asked, credentials);
    return overHttp(signed.headers, signed.path);
  },
  aws4fetch: async () => {
    const client = new AwsClient({ ...credentials, service, region, retries: 0 });
    const response = await client.fetch(url, { method, body, headers });
    return { status: response.status, body: await response.text() };
  },
  smithy: async () => {
    const own = new SignatureV4({ service, region, credentials, sha256: Sha256 });
    const signed = await own.sign(forSmithy());
    return overHttp(signed.headers, pathname + search);
  },
  'aws4, presigned': () => {
    const path = `${pathname}${search}${search ? '&' : '?'}X-Amz-Expires=${seconds}`;
    const signed = aws4.sign({ service, region, method, host, path, signQuery: true }, credentials);
    return { url: `http://${host}${signed.path}` };
  },
  'aws4fetch, presigned': async () => {
    const client = new AwsClient({ ...credentials, service, region });
    const asked = new URL(url);
    asked.searchParams.set('X-Amz-Expires', seconds);
    const signed = await client.sign(asked, { method, aws: { signQuery: true } });
    return { url: signed.url };
  },
  'smithy, presigned': async () => {
    const own = new SignatureV4({ service, region, credentials, sha256: Sha256 });
    const { query } = await own.presign(forSmithy(), { expiresIn: seconds });
    const pairs = Object.entries(query).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
    return {
      url: `http://${host}${pathname}?${pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`,
    };
  },
};

process.stdout.write(JSON.stringify(await SIGNERS[signer]()));
