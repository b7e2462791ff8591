//! Stopping: requests in flight finish, and buffered data is written.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::signer::{Call, Signer};
use crate::support::{Engine, Product};

#[apply(on_both_engines!)]
async fn requests_in_flight_finish_and_records_are_written(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    let call = Call::identity(product.clock.now());

    let mut connection = TcpStream::connect(product.api).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-tc-action: {}\r\nx-tc-version: {}\r\n\
         x-tc-timestamp: {}\r\nauthorization: {}\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n",
        product.api,
        call.action,
        call.version,
        call.timestamp,
        signer.authorization(&call)
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once the handler has the request.
    let mut interim = [0; 25];
    connection.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    let mut other = TcpStream::connect(product.api).await.unwrap();
    let ready = format!("GET /readyz HTTP/1.1\r\nhost: {}\r\n", product.api);
    other.write_all(ready.as_bytes()).await.unwrap();

    let (app, store) = (product.app.clone(), product.store.clone());
    let stopping = tokio::spawn(product.stop());
    while !app.stopping.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    other.write_all(b"\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("connection: close"), "{answer}");

    connection.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("CAMUser"), "{answer}");
    stopping.await.unwrap();

    assert!(latchkey::db::api_keys::list(&app.db, owner.uin).await.is_err(), "the connections are closed");
    let keys = latchkey::db::api_keys::list(&store.db().await, owner.uin).await.unwrap();
    assert_eq!(keys[0].last_used_action.as_deref(), Some("GetCallerIdentity"));
}
