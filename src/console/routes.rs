//! The console's router and its middleware.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;
use tower_sessions::{Expiry, SessionManagerLayer};

use super::frame::problem::{PageError, Problem};
use super::frame::site::Site;
use super::frame::{assets, compression, error_page, headers, reader};
use super::session;
use super::session::store::Store;
use super::state::Console;
use super::table;
use crate::app::App;
use crate::http::tracked;
use crate::types::id::RequestId;

/// The maximum size of a form's body.
const BODY_LIMIT: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Creates the console's router.
pub fn router(app: App, site: Site) -> Router {
    let console = Console::new(app, site);
    let routes = table::routes().into_iter();
    let routes = routes.fold(Router::new(), |router, route| router.route(route.path, route.handler));
    // From the outside in. A response of any layer passes through the layers above it.
    let layers = ServiceBuilder::new()
        .layer(from_fn(tracked::note_route))
        .layer(from_fn_with_state(console.clone(), headers::secure))
        .layer(from_fn(compression::once))
        .layer(compression::layer())
        .layer(from_fn(compression::decide))
        .layer(from_fn_with_state(console.clone(), reader::read))
        .layer(from_fn(error_page::render))
        .layer(CatchPanicLayer::custom(rendered_panic))
        .layer(from_fn_with_state(console.clone(), headers::known_host))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(cross_site(&console))
        .layer(map_response(error_page::unsaved_session))
        .layer(sessions(&console))
        .layer(from_fn_with_state(console.clone(), session::identify));
    Router::new()
        .merge(routes)
        .route("/static/{name}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
        .route("/robots.txt", get(assets::robots))
        .fallback(async || PageError::from(Problem::NotFound))
        .layer(layers)
        .with_state(console)
}

fn cross_site(console: &Console) -> CsrfLayer {
    console
        .site
        .origins
        .iter()
        .fold(CsrfLayer::new(), |layer, origin| layer.clone().add_trusted_origin(origin).unwrap_or(layer))
}

fn sessions(console: &Console) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(Store(console.app.clone()))
        .with_name(console.site.cookies.session.clone())
        .with_secure(console.site.secure_cookies)
        .with_same_site(tower_sessions::cookie::SameSite::Strict)
        .with_http_only(true)
        .with_expiry(Expiry::OnSessionEnd)
}

/// The response for a panic within the layers that render an error page.
fn rendered_panic(_: Box<dyn Any + Send>) -> Response {
    PageError::from(Problem::Fault).into_response()
}

/// The response for a panic in one of those layers.
pub fn panicked(_: RequestId, _: &Uri) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
