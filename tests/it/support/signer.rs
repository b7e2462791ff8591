//! A client of the signed API, written from the protocol's description, without the product's code.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use latchkey::types::clock::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use sha2::{Digest, Sha256};

#[derive(Clone)]
pub struct Signer {
    pub secret_id: String,
    pub secret_key: String,
    pub address: SocketAddr,
    pub client: Client,
}

/// A call whose parts a test may change before it is sent.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: &'static str,
    pub query: String,
    pub body: String,
    pub content_type: String,
    pub version: &'static str,
    pub action: &'static str,
    pub timestamp: i64,
    pub date: String,
    pub service: String,
    pub signed_headers: String,
    /// The host that is signed. The one that is sent is always `ADDRESS:PORT`.
    pub signed_host: Option<String>,
    pub unsigned_payload: bool,
    pub extra_headers: Vec<(&'static str, String)>,
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

impl Call {
    pub fn identity(now: Timestamp) -> Self {
        Self {
            method: "POST",
            query: String::new(),
            body: "{}".to_owned(),
            content_type: "application/json".to_owned(),
            version: "2018-08-13",
            action: "GetCallerIdentity",
            timestamp: now.seconds(),
            date: now.utc_date(),
            service: "sts".to_owned(),
            signed_headers: "content-type;host".to_owned(),
            signed_host: None,
            unsigned_payload: false,
            extra_headers: Vec::new(),
        }
    }

    pub fn list_keys(now: Timestamp) -> Self {
        Self { version: "2019-01-16", action: "ListAccessKeys", service: "cam".to_owned(), ..Self::identity(now) }
    }
}

impl Signer {
    pub fn new(address: SocketAddr, secret_id: &str, secret_key: &str) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self { secret_id: secret_id.to_owned(), secret_key: secret_key.to_owned(), address, client }
    }

    pub fn authorization(&self, call: &Call) -> String {
        let host = call.signed_host.clone().unwrap_or_else(|| self.address.to_string());
        let lines: String = call
            .signed_headers
            .split(';')
            .map(|name| match name {
                "content-type" => format!("content-type:{}\n", call.content_type),
                "host" => format!("host:{host}\n"),
                "x-tc-action" => format!("x-tc-action:{}\n", call.action.to_lowercase()),
                other => format!("{other}:\n"),
            })
            .collect();
        let payload = if call.unsigned_payload { "UNSIGNED-PAYLOAD" } else { &call.body };
        let canonical = format!(
            "{}\n/\n{}\n{lines}\n{}\n{}",
            call.method,
            call.query,
            call.signed_headers,
            sha256(payload.as_bytes())
        );
        let scope = format!("{}/{}/tc3_request", call.date, call.service);
        let to_sign = format!("TC3-HMAC-SHA256\n{}\n{scope}\n{}", call.timestamp, sha256(canonical.as_bytes()));
        let key = hmac(format!("TC3{}", self.secret_key).as_bytes(), &call.date);
        let key = hmac(&hmac(&key, &call.service), "tc3_request");
        let signature = data_encoding::HEXLOWER.encode(&hmac(&key, &to_sign));
        format!(
            "TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.secret_id, call.signed_headers
        )
    }

    pub fn request(&self, call: &Call, authorization: &str) -> RequestBuilder {
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let mut request = self
            .client
            .request(call.method.parse().unwrap(), format!("http://{}/{query}", self.address))
            .header("content-type", &call.content_type)
            .header("x-tc-action", call.action)
            .header("x-tc-version", call.version)
            .header("x-tc-timestamp", call.timestamp.to_string())
            .header("authorization", authorization);
        for (name, value) in &call.extra_headers {
            request = request.header(*name, value);
        }
        request.body(call.body.clone())
    }

    /// Signs and sends a call, and returns the content of the envelope.
    pub async fn send(&self, call: &Call) -> Value {
        answer(self.request(call, &self.authorization(call))).await
    }

    /// The error code of an identity call. `None` if it was accepted.
    pub async fn refusal(&self, now: Timestamp) -> Option<String> {
        error_code(&self.send(&Call::identity(now)).await)
    }
}

/// A version 1 call: its parameters, its HMAC, and where the parameters are sent.
#[derive(Clone, Debug)]
pub struct V1Call {
    pub post: bool,
    pub sha256: bool,
    pub params: Vec<(String, String)>,
}

impl Signer {
    /// A version 1 identity call that is not signed yet.
    pub fn v1_identity(&self, now: Timestamp, post: bool, sha256: bool) -> V1Call {
        let method = if sha256 { "HmacSHA256" } else { "HmacSHA1" };
        let params = [
            ("Action", "GetCallerIdentity"),
            ("Version", "2018-08-13"),
            ("Timestamp", &now.seconds().to_string()),
            ("Nonce", "9223372036854775807"),
            ("SecretId", &self.secret_id),
            ("SignatureMethod", method),
            ("RequestClient", "a client with spaces + signs"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        V1Call { post, sha256, params }
    }

    pub fn v1_signature(&self, call: &V1Call) -> String {
        self.v1_signature_for(call, &self.address.to_string())
    }

    /// The signature with this host.
    pub fn v1_signature_for(&self, call: &V1Call, host: &str) -> String {
        let mut sorted = call.params.clone();
        sorted.sort();
        let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let method = if call.post { "POST" } else { "GET" };
        let message = format!("{method}{host}/?{}", pairs.join("&"));
        let key = self.secret_key.as_bytes();
        let mac = if call.sha256 {
            hmac(key, &message)
        } else {
            let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key).unwrap();
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        data_encoding::BASE64.encode(&mac)
    }

    /// Sends a call with this signature.
    pub async fn send_v1(&self, call: &V1Call, signature: &str) -> Value {
        let mut params = call.params.clone();
        params.push(("Signature".to_owned(), signature.to_owned()));
        let url = format!("http://{}/", self.address);
        answer(if call.post { self.client.post(url).form(&params) } else { self.client.get(url).query(&params) }).await
    }
}

/// Checks the envelope and returns its content.
pub async fn answer(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Value = response.json().await.unwrap();
    let inner = body["Response"].clone();
    assert_eq!(inner["RequestId"].as_str().map(str::len), Some(36), "{body}");
    inner
}

pub fn error_code(response: &Value) -> Option<String> {
    response["Error"]["Code"].as_str().map(str::to_owned)
}
