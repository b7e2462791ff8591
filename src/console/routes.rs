//! The console's addresses, and the layers before them.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;
use tower_sessions::{Expiry, SessionManagerLayer};

use super::frame::problem::{PageError, Problem};
use super::frame::site::Site;
use super::frame::{assets, compression, error_page, headers, reader, urls};
use super::keys::{detail, disable_all, list, refused, rotation};
use super::preferences;
use super::records::{csv, list as records};
use super::security::{authenticator, overview, passkeys, password, recovery_codes};
use super::session;
use super::session::store::Store;
use super::sign_in::{login, setup};
use super::state::Console;
use crate::app::App;
use crate::http::tracked;
use crate::types::id::RequestId;

/// Longest body of a form.
const BODY_LIMIT: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);

/// The console's routes and layers.
pub fn router(app: App, site: Site) -> Router {
    let console = Console { app, site: Arc::new(site) };
    let key = |action: &str| format!("{}/{{secret_id}}/{action}", urls::CREATE_KEY);
    let routes = Router::new()
        .route("/", get(async || Redirect::to(urls::KEYS)))
        .route(urls::LOGIN, get(login::login_page).post(login::submit))
        .route(urls::LOGIN_CODE, get(login::code_page).post(login::submit_code))
        .route(urls::LOGIN_PASSKEY, post(login::submit_passkey))
        .route(urls::LOGIN_PASSKEY_OPTIONS, post(login::ask_for_passkey))
        .route(urls::LOGOUT, post(login::sign_out))
        .route(urls::PREFERENCES, post(preferences::choose))
        .route(urls::SETUP, get(setup::setup_page).post(setup::begin))
        .route(urls::SETUP_AUTHENTICATOR, get(setup::authenticator_page).post(setup::confirm))
        .route(urls::KEYS, get(list::keys_page))
        .route(urls::REFUSED, get(refused::refused_page))
        .route(urls::CREATE_KEY, post(list::create))
        .route(&format!("{}/{{secret_id}}", urls::CREATE_KEY), get(detail::key_page))
        .route(&key("show"), get(list::show_page).post(list::show))
        .route(&key("disable"), get(list::disable_page).post(list::disable))
        .route(&key("enable"), post(list::enable))
        .route(&key("delete"), get(list::delete_page).post(list::delete))
        .route(&key("remark"), post(list::set_remark))
        .route(urls::RECORDS, get(records::records_page))
        .route(urls::RECORDS_CSV, get(csv::download))
        .route(&key("rotate"), get(rotation::rotation_page))
        .route(urls::DISABLE_ALL, get(disable_all::ask_page).post(disable_all::disable_all))
        .route(urls::SECURITY, get(overview::security_page))
        .route(urls::PASSWORD, get(password::password_page).post(password::change))
        .route(urls::AUTHENTICATOR, get(authenticator::replace_page).post(authenticator::begin))
        .route(urls::NEW_AUTHENTICATOR, get(authenticator::new_page).post(authenticator::confirm))
        .route(urls::RECOVERY_CODES, get(recovery_codes::replace_page).post(recovery_codes::replace))
        .route(urls::END_SESSION, get(overview::end_page).post(overview::end))
        .route(urls::END_OTHERS, get(overview::end_others_page).post(overview::end_others))
        .route(urls::PASSKEY_OPTIONS, post(passkeys::ask_for_own))
        .route(urls::ADD_PASSKEY, get(passkeys::add_page).post(passkeys::begin))
        .route(urls::NEW_PASSKEY, get(passkeys::new_page).post(passkeys::add))
        .route(urls::NEW_PASSKEY_OPTIONS, post(passkeys::ask_for_new))
        .route(urls::RENAME_PASSKEY, post(passkeys::rename))
        .route(urls::REMOVE_PASSKEY, get(passkeys::remove_page).post(passkeys::remove));
    // From the outside in; a refusal of any of them passes through those above it.
    let layers = ServiceBuilder::new()
        .layer(from_fn(tracked::note_route))
        .layer(from_fn_with_state(console.clone(), headers::secure))
        .layer(compression::layer())
        .layer(from_fn(compression::judge))
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

/// Within the layers that make a page of it.
fn rendered_panic(_: Box<dyn Any + Send>) -> Response {
    PageError::from(Problem::Fault).into_response()
}

/// What a browser is told when one of those layers has panicked.
pub fn panicked(_: RequestId, _: &Uri) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
