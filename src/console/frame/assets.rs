//! Style, script and icon: compiled in, served under names that carry their hash and so never change. And the two files
//! that are asked for under names of their own.

use std::sync::LazyLock;

use axum::Extension;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::compression::{CompressedForms, Compressible};
use super::problem::{PageError, Problem};

/// One file.
#[derive(Debug)]
struct Asset {
    name: String,
    content_type: &'static str,
    body: &'static str,
    compressed: CompressedForms,
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, body: &'static str) -> Self {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(body.as_bytes())[..8]);
        Self { name: format!("{stem}-{hash}.{extension}"), content_type, body, compressed: CompressedForms::default() }
    }

    fn answer(&'static self, cache: &'static str) -> Response {
        let headers = [(header::CONTENT_TYPE, self.content_type), (header::CACHE_CONTROL, cache)];
        (headers, Extension(Compressible), Extension(&self.compressed), self.body).into_response()
    }
}

/// Where the pages find them.
#[derive(Debug)]
pub struct Assets {
    /// Style sheet.
    pub css: String,
    /// Script.
    pub js: String,
    /// Script of the pages that ask for passkeys.
    pub passkey_js: String,
    /// Icon.
    pub icon: String,
}

static FILES: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        Asset::new("app", "css", "text/css; charset=utf-8", include_str!("../../../static/app.css")),
        Asset::new("app", "js", "text/javascript; charset=utf-8", include_str!("../../../static/app.js")),
        Asset::new("passkey", "js", "text/javascript; charset=utf-8", include_str!("../../../static/passkey.js")),
        Asset::new("icon", "svg", "image/svg+xml", include_str!("../../../static/icon.svg")),
    ]
});

/// The addresses of the files.
pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let [css, js, passkey_js, icon] = FILES.each_ref().map(|file| format!("/static/{}", file.name));
    Assets { css, js, passkey_js, icon }
});

/// `GET /static/{name}`
pub async fn serve(Path(name): Path<String>) -> Result<Response, PageError> {
    let file = FILES.iter().find(|file| file.name == name).ok_or(Problem::NotFound)?;
    Ok(file.answer("public, max-age=31536000, immutable"))
}

/// `GET /favicon.ico`, for what asks without looking at a page. The name stays while the picture may change.
pub async fn favicon() -> impl IntoResponse {
    let [.., icon] = &*FILES;
    icon.answer("public, max-age=86400")
}

/// `GET /robots.txt`: nothing here is for search engines.
pub async fn robots() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=86400")], "User-agent: *\nDisallow: /\n")
}
