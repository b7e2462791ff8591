//! Compression of responses. Static files are always compressed, pages only if no other site can have caused the
//! request, and pages that show a secret never. `docs/adr/0008-what-is-compressed.md` gives the reasons.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::OnceCell;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

/// Compresses well, and takes a fraction of a millisecond for the longest page.
const LEVEL: CompressionLevel = CompressionLevel::Precise(5);

/// Marks a response that may be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compressible;

/// Marks a response that shows a secret; see [`super::page::Confidential`].
#[derive(Clone, Copy, Debug)]
pub(super) struct ShowsSecret;

/// The compressed forms of a file that never changes.
#[derive(Debug, Default)]
pub(super) struct CompressedForms {
    brotli: OnceCell<Bytes>,
    gzip: OnceCell<Bytes>,
}

/// The layer that compresses the marked responses.
pub fn layer() -> CompressionLayer<impl Predicate> {
    let marked =
        |_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions| extensions.get::<Compressible>().is_some();
    CompressionLayer::new().quality(LEVEL).compress_when(marked)
}

/// Middleware inside [`layer`] that marks the pages that may be compressed.
pub async fn decide(request: Request, next: Next) -> Response {
    // Browsers set this header themselves and scripts cannot change it. A request that another site caused has
    // `cross-site` or `same-site`.
    let from_here = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin" || site == "none");
    let mut response = next.run(request).await;
    // The compressor would hold events back.
    let is_stream = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let extensions = response.extensions_mut();
    if from_here && !is_stream && extensions.get::<ShowsSecret>().is_none() {
        extensions.insert(Compressible);
    }
    response
}

/// Middleware around [`layer`] that keeps the compressed forms of a file with `CompressedForms`, so that each is
/// compressed only once.
pub async fn once(request: Request, next: Next) -> Response {
    // The response to HEAD has the headers of a compressed response, but no body to keep.
    let is_get = request.method() == Method::GET;
    let (parts, body) = next.run(request).await.into_parts();
    let forms = parts.extensions.get::<&'static CompressedForms>().filter(|_| is_get);
    let form = match parts.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        Some(b"br") => forms.map(|forms| &forms.brotli),
        Some(b"gzip") => forms.map(|forms| &forms.gzip),
        _ => None,
    };
    let Some(form) = form else { return Response::from_parts(parts, body) };
    match form.get_or_try_init(|| to_bytes(body, usize::MAX)).await {
        Ok(compressed) => Response::from_parts(parts, compressed.clone().into()),
        Err(error) => {
            tracing::error!(%error, "a static file could not be compressed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
