//! The subjects that the product is compared with: a handler that only reads the body and responds, and the same check
//! with a look-up in the database for every request instead of the barrier.

use std::path::Path;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use latchkey::app::App;
use latchkey::db::Db;
use latchkey::db::sealed::API_KEY_SECRET;
use latchkey::secret::vault::Sealed;
use latchkey::signature::tc3::{self, Authorization, SignedRequest, SigningKey};
use latchkey::types::clock::Clock;
use latchkey::types::id::{SecretId, Uin};
use serde_json::json;

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

fn identity(uin: &str) -> String {
    json!({ "Response": {
        "Arn": format!("qcs::cam:{uin}:uin/{uin}"), "AccountId": uin, "UserId": uin, "PrincipalId": uin,
        "Type": "CAMUser", "RequestId": "8d4f5c5e-0000-4000-8000-000000000000",
    } })
    .to_string()
}

/// Reads the body and responds.
pub(crate) fn bare() -> Router {
    Router::new().fallback(async |request: Request| {
        let body = to_bytes(request.into_body(), 10 << 20).await.unwrap();
        assert_eq!(&body[..], b"{}");
        (JSON, identity("100000000000"))
    })
}

/// Serves until killed, and prints the address.
pub(crate) fn serve(router: Router) {
    tokio::runtime::Runtime::new().unwrap().block_on(listen(router));
}

async fn listen(router: Router) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("api http://{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

/// Serves the look-up variant on this database.
pub(crate) fn serve_with(data: &Path, database: Option<&str>) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let app = App::open(super::settings(data, database), Clock::system()).await.unwrap();
        listen(Router::new().route("/", post(answer)).with_state(app)).await;
    });
}

const STATEMENT: &str =
    "select uin, secret_key_version, secret from api_key where secret_id = $1 and state = 'enabled'";

async fn answer(State(app): State<App>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 10 << 20).await.unwrap();
    let header = parts.headers["authorization"].to_str().unwrap();
    let authorization = Authorization::parse(header).unwrap();
    let id: SecretId = authorization.secret_id.parse().unwrap();
    let (uin, key_version, bytes): (i64, i64, Vec<u8>) = match &app.db {
        Db::Sqlite(pool, _) => sqlx::query_as(STATEMENT).bind(&id).fetch_one(pool).await,
        Db::Postgres(pool) => sqlx::query_as(STATEMENT).bind(&id).fetch_one(pool).await,
    }
    .unwrap();
    let secret =
        app.vault.open_text(API_KEY_SECRET.place(id.as_str(), Some(Uin(uin))), &Sealed { key_version, bytes }).unwrap();
    let request = SignedRequest {
        method: "POST",
        path: "/",
        query: "",
        headers: &parts.headers,
        payload_sha256: &tc3::payload_hash(false, &body),
        timestamp: parts.headers["x-tc-timestamp"].to_str().unwrap(),
    };
    assert!(tc3::matches(&authorization, &request, &SigningKey::derive(&secret, &authorization)));
    (JSON, identity(&uin.to_string()))
}
