//! The console: pages for people.
//!
//! Invariant: no SQL here. A handler's arguments are its authorisation rule ([`session::SignedIn`] and the other
//! stages); every form comes through [`forms::OwnForm`]; the template struct stands beside its handler.

pub mod assets;
pub mod authenticator;
pub mod compression;
pub mod disable_all;
pub mod enrolment;
pub mod error;
pub mod flash;
pub mod forms;
pub mod headers;
pub mod health;
pub mod key;
pub mod key_view;
pub mod keys;
pub mod login;
pub mod page;
pub mod passkeys;
pub mod password;
pub mod preferences;
pub mod records;
pub mod records_csv;
pub mod recovery_codes;
pub mod refused;
pub mod rotation;
pub mod security;
pub mod session;
pub mod session_store;
pub mod setup;
pub mod site;
pub mod urls;
pub mod user_agent;
pub mod verify;
mod wanted;
pub mod words;
pub mod words_en;
pub mod words_zh;

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

use self::error::{PageError, Problem};
use self::session_store::Store;
use self::site::Site;
use crate::account::passkeys::RelyingParty;
use crate::id::RequestId;
use crate::requests;
use crate::state::App;

/// Longest body of a form.
const BODY_LIMIT: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);

/// The state of the console's handlers.
#[derive(Clone, Debug)]
pub struct Console {
    /// The product.
    pub app: App,
    /// How it is reached.
    pub site: Arc<Site>,
}

impl Console {
    /// The console as passkeys know it. Where browsers know none, what is about them is not there.
    fn relying_party(&self) -> Result<&RelyingParty, PageError> {
        self.site.passkeys.as_ref().ok_or_else(|| Problem::NotFound.into())
    }
}

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
        .route(urls::LOGOUT, post(login::leave))
        .route(urls::PREFERENCES, post(preferences::choose))
        .route(urls::SETUP, get(setup::setup_page).post(setup::begin))
        .route(urls::SETUP_AUTHENTICATOR, get(setup::authenticator_page).post(setup::confirm))
        .route(urls::KEYS, get(keys::keys_page))
        .route(urls::REFUSED, get(refused::refused_page))
        .route(urls::CREATE_KEY, post(keys::create))
        .route(&format!("{}/{{secret_id}}", urls::CREATE_KEY), get(key::key_page))
        .route(&key("show"), get(keys::show_page).post(keys::show))
        .route(&key("disable"), get(keys::disable_page).post(keys::disable))
        .route(&key("enable"), post(keys::enable))
        .route(&key("delete"), get(keys::delete_page).post(keys::delete))
        .route(&key("remark"), post(keys::set_remark))
        .route(urls::RECORDS, get(records::records_page))
        .route(urls::RECORDS_CSV, get(records_csv::download))
        .route(&key("rotate"), get(rotation::rotation_page))
        .route(urls::DISABLE_ALL, get(disable_all::ask_page).post(disable_all::disable_all))
        .route(urls::SECURITY, get(security::security_page))
        .route(urls::PASSWORD, get(password::password_page).post(password::change))
        .route(urls::AUTHENTICATOR, get(authenticator::replace_page).post(authenticator::begin))
        .route(urls::NEW_AUTHENTICATOR, get(authenticator::new_page).post(authenticator::confirm))
        .route(urls::RECOVERY_CODES, get(recovery_codes::replace_page).post(recovery_codes::replace))
        .route(urls::END_SESSION, get(security::end_page).post(security::end))
        .route(urls::END_OTHERS, get(security::end_others_page).post(security::end_others))
        .route(urls::PASSKEY_OPTIONS, post(passkeys::ask_for_own))
        .route(urls::ADD_PASSKEY, get(passkeys::add_page).post(passkeys::begin))
        .route(urls::NEW_PASSKEY, get(passkeys::new_page).post(passkeys::add))
        .route(urls::NEW_PASSKEY_OPTIONS, post(passkeys::ask_for_new))
        .route(urls::RENAME_PASSKEY, post(passkeys::rename))
        .route(urls::REMOVE_PASSKEY, get(passkeys::remove_page).post(passkeys::remove));
    // From the outside in; a refusal of any of them passes through those above it.
    let layers = ServiceBuilder::new()
        .layer(from_fn(requests::note_route))
        .layer(from_fn_with_state(console.clone(), headers::secure))
        .layer(compression::layer())
        .layer(from_fn(compression::judge))
        .layer(from_fn_with_state(console.clone(), preferences::read))
        .layer(from_fn(error::render))
        .layer(CatchPanicLayer::custom(rendered_panic))
        .layer(from_fn_with_state(console.clone(), headers::known_host))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(cross_site(&console))
        .layer(map_response(error::unsaved_session))
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
