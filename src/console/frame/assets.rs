//! The style sheet, scripts and icon. They are compiled in and served under names that contain their hash, so a name
//! never changes its content. `favicon.ico` and `robots.txt` have fixed names.

use std::sync::LazyLock;

use axum::Extension;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::compression::{CompressedForms, Compressible};
use super::problem::{PageError, Problem};

/// A static file.
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

/// The paths of the static files, for the pages.
#[derive(Debug)]
pub struct Assets {
    /// The style sheet.
    pub css: String,
    /// The script of all pages.
    pub js: String,
    /// The script of the pages that use passkeys.
    pub passkey_js: String,
    /// The script of the pages that show new calls.
    pub live_js: String,
    /// The icon.
    pub icon: String,
}

static FILES: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new("app", "css", "text/css; charset=utf-8", include_str!("../../../static/app.css")),
        Asset::new("app", "js", "text/javascript; charset=utf-8", include_str!("../../../static/app.js")),
        Asset::new("passkey", "js", "text/javascript; charset=utf-8", include_str!("../../../static/passkey.js")),
        Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("../../../static/live.js")),
        Asset::new("icon", "svg", "image/svg+xml", include_str!("../../../static/icon.svg")),
    ]
});

/// The paths of the files.
pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let [css, js, passkey_js, live_js, icon] = FILES.each_ref().map(|file| format!("/static/{}", file.name));
    Assets { css, js, passkey_js, live_js, icon }
});

/// `GET /static/{name}`
pub async fn serve(Path(name): Path<String>) -> Result<Response, PageError> {
    let file = FILES.iter().find(|file| file.name == name).ok_or(Problem::NotFound)?;
    Ok(file.answer("public, max-age=31536000, immutable"))
}

/// `GET /favicon.ico`, for clients that request it without loading a page. The name is fixed although the image may
/// change.
pub async fn favicon() -> impl IntoResponse {
    let [.., icon] = &*FILES;
    icon.answer("public, max-age=86400")
}

/// `GET /robots.txt`: excludes search engines.
pub async fn robots() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=86400")], "User-agent: *\nDisallow: /\n")
}
