//! Which answers are compressed: static files always, pages where nobody else can have caused the request, and pages that
//! show a secret never. Why: `docs/adr/0008-what-is-compressed.md`.

use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

/// Small, and done in a fraction of a millisecond for the longest page.
const LEVEL: CompressionLevel = CompressionLevel::Precise(5);

/// Marks an answer that may be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compressible;

/// Marks an answer that shows a secret: [`super::page::Confidential`].
#[derive(Clone, Copy, Debug)]
pub(super) struct ShowsSecret;

/// The layer that compresses what is marked.
pub fn layer() -> CompressionLayer<impl Predicate> {
    let marked =
        |_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions| extensions.get::<Compressible>().is_some();
    CompressionLayer::new().quality(LEVEL).compress_when(marked)
}

/// Middleware inside [`layer`]: marks the pages that may be compressed.
pub async fn decide(request: Request, next: Next) -> Response {
    // Browsers tell this themselves, no script can change it, and a page elsewhere makes it `cross-site` or `same-site`.
    let from_here = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin" || site == "none");
    let mut response = next.run(request).await;
    let extensions = response.extensions_mut();
    if from_here && extensions.get::<ShowsSecret>().is_none() {
        extensions.insert(Compressible);
    }
    response
}
