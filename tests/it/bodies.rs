//! Bodies that arrive slowly, are too long or never arrive, at every entry point that reads them.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use latchkey::config::GivenSettings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Browser, Engine, Product};

const TOKEN: &str = "a token of a back end";
const MIB: usize = 1024 * 1024;

struct Fixture {
    product: Product,
    browser: Browser,
    signer: Signer,
    guard: SocketAddr,
    _tokens: tempfile::NamedTempFile,
}

/// A back end that accepts everything.
async fn back_end() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().fallback(async || "served");
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

async fn fixture(engine: Engine) -> Fixture {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), TOKEN).unwrap();
    let upstream = back_end().await;
    let product = Product::start_with(engine, |given| GivenSettings {
        verify_token_file: Some(tokens.path().to_owned()),
        guard: Some("127.0.0.1:0".parse().unwrap()),
        guard_upstream: Some(format!("http://{upstream}").parse().unwrap()),
        ..given
    })
    .await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    let guard = product.guard.unwrap();
    Fixture { product, browser, signer, guard, _tokens: tokens }
}

impl Fixture {
    fn at_guard(&self) -> Signer {
        Signer { address: self.guard, ..self.signer.clone() }
    }

    /// A call of some 80 KB.
    fn long_call(&self) -> Call {
        Call { body: " ".repeat(80_000) + "{}", ..Call::identity(self.product.clock.now()) }
    }

    /// The head of a version 3 call with the key's SecretId.
    fn head_of_v3(&self, at: SocketAddr, length: usize, extra: &str) -> String {
        let call = Call::identity(self.product.clock.now());
        let authorization = self.signer.authorization(&call);
        let timestamp = call.timestamp;
        format!(
            "POST / HTTP/1.1\r\nhost: {at}\r\ncontent-type: application/json\r\nx-tc-timestamp: {timestamp}\r\n\
             x-tc-action: GetCallerIdentity\r\nx-tc-version: 2018-08-13\r\nauthorization: {authorization}\r\n\
             content-length: {length}\r\n{extra}\r\n"
        )
    }

    /// The head of a form from an anonymous client.
    fn head_of_v1(&self, length: usize, extra: &str) -> String {
        let at = self.product.api;
        let kind = "application/x-www-form-urlencoded";
        format!("POST / HTTP/1.1\r\nhost: {at}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{extra}\r\n")
    }

    fn head_of_question(&self, length: usize, extra: &str) -> String {
        let at = self.product.api;
        format!(
            "POST /v1/verify HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {length}\r\n{extra}\r\n"
        )
    }

    /// Checks that honest long requests are served at every entry point.
    async fn honest_calls_are_served(&self) {
        assert_eq!(error_code(&self.signer.send(&self.long_call()).await), None);

        let (guard, call) = (self.at_guard(), self.long_call());
        let served = guard.request(&call, &guard.authorization(&call)).send().await.unwrap();
        assert_eq!((served.status().as_u16(), served.text().await.unwrap().as_str()), (200, "served"));

        let call = Call::identity(self.product.clock.now());
        let question = json!({
            "method": "POST",
            "uri": "/",
            "headers": {
                "Host": self.signer.address.to_string(),
                "Content-Type": call.content_type,
                "X-TC-Timestamp": call.timestamp.to_string(),
                "Authorization": self.signer.authorization(&call),
                "X-Padding": "x".repeat(80_000),
            },
            "body_sha256": latchkey::signature::tc3::payload_hash(false, call.body.as_bytes()),
        });
        let asked = self.signer.client.post(format!("http://{}/v1/verify", self.product.api)).bearer_auth(TOKEN);
        let told: serde_json::Value = asked.json(&question).send().await.unwrap().json().await.unwrap();
        assert_eq!(told["valid"], true, "{told}");
    }
}

async fn send(to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until the other side has nothing more to send, or has sent `enough`.
async fn said(stream: &mut TcpStream, enough: &str) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&said).into_owned();
        if text.contains(enough) {
            return text;
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => said.extend_from_slice(&piece[..read]),
        }
    }
}

/// Seven clients that name a key, and 65 anonymous ones, announce long bodies and send little. Nobody has to wait for
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_announced_holds_nobody_up() {
    let f = fixture(Engine::Sqlite).await;
    let mut slow = Vec::new();
    for _ in 0..7 {
        for at in [f.product.api, f.guard] {
            slow.push(send(at, (f.head_of_v3(at, 9 * MIB, "") + &" ".repeat(1000)).as_bytes()).await);
        }
    }
    for _ in 0..65 {
        slow.push(send(f.product.api, (f.head_of_v1(MIB, "") + &"x".repeat(1000)).as_bytes()).await);
    }
    let chunked = f.head_of_v3(f.product.api, 0, "").replace("content-length: 0", "transfer-encoding: chunked");
    for _ in 0..7 {
        slow.push(send(f.product.api, (chunked.clone() + "3e8\r\n" + &" ".repeat(1000) + "\r\n").as_bytes()).await);
    }
    f.honest_calls_are_served().await;
    drop(slow);
}

/// Many addresses send long bodies except for their ends, more than the memory budget. Some of them are refused, and
/// honest calls are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_fills_the_memory_gives_way() {
    let f = fixture(Engine::Sqlite).await;
    let mut slow = Vec::new();
    for host in 2..6 {
        for _ in 0..4 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
            let mut stream = socket.connect(f.product.api).await.unwrap();
            let head = f.head_of_v3(f.product.api, 9 * MIB, "");
            stream.write_all(head.as_bytes()).await.unwrap();
            // Bytes that are no longer kept are read all the same.
            stream.write_all(&vec![b' '; 9 * MIB - 1]).await.unwrap();
            slow.push(stream);
            f.honest_calls_are_served().await;
        }
    }
    let told = slow.into_iter().map(|mut stream| tokio::spawn(async move { said(&mut stream, "\"RequestId\"").await }));
    let (told, _, rest) = futures_util::future::select_all(told).await;
    let told = told.unwrap();
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n") && told.contains("RequestLimitExceeded"), "{told}");
    assert!(told.to_lowercase().contains("connection: close"), "{told}");
    for reading in rest {
        reading.abort();
    }
}

/// A body is refused by its announced length, before it is sent. A client that waits for `100 Continue` does not get
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_is_refused_before_it_is_sent() {
    let f = fixture(Engine::Sqlite).await;
    let (api, too_large) = (f.product.api, "RequestSizeLimitExceeded");
    let far = 20_000_000_000;
    for extra in ["", "expect: 100-continue\r\n"] {
        for (at, head, status, says) in [
            (api, f.head_of_v3(api, 11 * MIB, extra), "200", too_large),
            (api, f.head_of_v3(api, far, extra), "200", too_large),
            (api, f.head_of_v1(2 * MIB, extra), "200", too_large),
            (api, f.head_of_question(MIB, extra), "413", "longer than 256 KiB"),
            (f.guard, f.head_of_v3(f.guard, 11 * MIB, extra), "413", too_large),
        ] {
            let mut stream = send(at, head.as_bytes()).await;
            let answer = said(&mut stream, says).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}\n{answer}");
            assert!(answer.contains(says), "{head}\n{answer}");
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        }
        // A request that is refused for another reason.
        let unknown =
            f.head_of_v3(api, 9 * MIB, extra).replace(&f.signer.secret_id, &format!("AKID{}", "a".repeat(32)));
        let answer = said(&mut send(api, unknown.as_bytes()).await, "SecretIdNotFound").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("SecretIdNotFound"), "{answer}");
    }
    // A client that may send its body gets `100 Continue`.
    let mut stream = send(api, f.head_of_v3(api, 80_000, "expect: 100-continue\r\n").as_bytes()).await;
    assert!(said(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    stream.write_all(&vec![b' '; 80_000]).await.unwrap();
    let answer = said(&mut stream, "\"RequestId\"").await;
    assert!(answer.contains("AuthFailure.SignatureFailure"), "it was read to its end: {answer}");
}

/// Most clients read the response only after they have sent everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_all_first_hears_the_answer() {
    let f = fixture(Engine::Sqlite).await;
    let body = vec![b' '; 30 * MIB];
    let unknown = format!("AKID{}", "a".repeat(32));
    for (head, says) in [
        (f.head_of_v3(f.product.api, body.len(), ""), "RequestSizeLimitExceeded"),
        (f.head_of_v1(body.len(), ""), "RequestSizeLimitExceeded"),
        (f.head_of_v3(f.product.api, body.len(), "").replace(&f.signer.secret_id, &unknown), "SecretIdNotFound"),
    ] {
        let mut stream = send(f.product.api, head.as_bytes()).await;
        stream.write_all(&body).await.unwrap();
        let answer = said(&mut stream, says).await;
        assert!(answer.contains(says), "{answer}");
    }
}

/// The signature cannot be checked, because the body is not read, but the owner sees the call.
#[apply(on_both_engines!)]
async fn a_long_call_under_a_key_that_is_over_is_recorded(engine: Engine) {
    let mut f = fixture(engine).await;
    let key = f.signer.secret_id.clone();
    f.product.advance(std::time::Duration::from_secs(1));
    f.browser.operate(&format!("/cam/capi/keys/{key}/disable"), &[]).await;
    let call = f.long_call();
    assert_eq!(error_code(&f.signer.send(&call).await).unwrap(), "AuthFailure.SecretIdNotFound");
    let guard = f.at_guard();
    let refused = guard.request(&call, &guard.authorization(&call)).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let delete = f.browser.get(&format!("/cam/capi/keys/{key}/delete")).await;
    delete.says("<dt>Calls refused since then</dt><dd class=\"num\">2</dd>");
    let page = f.browser.get(&format!("/cam/capi/keys/{key}")).await;
    page.says("the key was disabled, and the body was too long to check the signature")
        .says("0 accepted and 2 refused since then");

    f.product.advance(std::time::Duration::from_secs(1));
    f.browser.operate(&format!("/cam/capi/keys/{key}/delete"), &[]).await;
    assert_eq!(error_code(&f.signer.send(&call).await).unwrap(), "AuthFailure.SecretIdNotFound");
    f.product.app.usage.flush().await;
    let calls = f.product.calls(&key).await;
    assert_eq!(calls[0].reason, "deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_has_only_so_many_parameters() {
    let f = fixture(Engine::Sqlite).await;
    for (count, code) in
        [(1000, "AuthFailure.InvalidAuthorization"), (1001, "InvalidParameter"), (400_000, "InvalidParameter")]
    {
        let form = f.signer.client.post(format!("http://{}/", f.product.api)).body("a&".repeat(count));
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(error_code(&crate::support::signer::answer(form).await).unwrap(), code, "{count}");
    }
}
