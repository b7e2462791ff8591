// Calls `GetCallerIdentity` with `@tencent-sdk/capi`, as other tools of the vendor use it, with the JSON options in
// `process.argv[2]`. Its version 1 forms are sent as `application/json`.

import capi from '@tencent-sdk/capi';

const { endpoint, credential, method, signatureMethod, isV3 } = JSON.parse(process.argv[2]);
const client = new capi.Capi({
  region: 'ap-guangzhou',
  serviceType: 'sts',
  version: '2018-08-13',
  requestClient: 'SDK_NODE',
  secretId: credential.secretId,
  secretKey: credential.secretKey,
});
const options = { protocol: 'http', host: endpoint, path: '/', method, signatureMethod, isV3 };
const answer = await client.request({ Action: 'GetCallerIdentity', Version: '2018-08-13' }, options);
process.stdout.write(JSON.stringify(answer.Response));
