//! Every page and form of the console: method, path, required stage, handler. The router is built from this table, and
//! so is the access test (`tests/it/access.rs`).

use axum::handler::Handler;
use axum::http::Method;
use axum::response::Redirect;
use axum::routing::{self, MethodRouter};

use super::frame::urls;
use super::keys::{changes, detail, disable_all, list, live, refused, rotation, show};
use super::preferences;
use super::records::{csv, list as records};
use super::security::{authenticator, overview, passkeys, password, recovery_codes};
use super::sign_in::{login, setup};
use super::state::Console;

/// The stage that a route requires. The arguments of the handler enforce it; the access test compares the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Anybody,
    /// A visitor who is setting up an account.
    Enrolling,
    /// A visitor who has entered the correct password, and has to enter a code.
    PasswordAccepted,
    /// The owner of an account, signed in.
    SignedIn,
}

/// A row of the table.
#[derive(Debug)]
pub struct Route {
    /// The method: GET or POST.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The required stage.
    pub who: Who,
    /// The handler.
    pub(super) handler: MethodRouter<Console>,
}

fn get<H: Handler<T, Console>, T: 'static>(path: &'static str, who: Who, handler: H) -> Route {
    Route { method: Method::GET, path, who, handler: routing::get(handler) }
}

fn post<H: Handler<T, Console>, T: 'static>(path: &'static str, who: Who, handler: H) -> Route {
    Route { method: Method::POST, path, who, handler: routing::post(handler) }
}

/// All routes.
pub fn routes() -> Vec<Route> {
    use Who::{Anybody, Enrolling, PasswordAccepted, SignedIn};
    vec![
        get(urls::HOME, Anybody, async || Redirect::to(urls::KEYS)),
        get(urls::LOGIN, Anybody, login::login_page),
        post(urls::LOGIN, Anybody, login::submit),
        get(urls::LOGIN_CODE, PasswordAccepted, login::code_page),
        post(urls::LOGIN_CODE, PasswordAccepted, login::submit_code),
        post(urls::LOGIN_PASSKEY, Anybody, login::submit_passkey),
        post(urls::LOGIN_PASSKEY_OPTIONS, Anybody, login::ask_for_passkey),
        post(urls::LOGOUT, Anybody, login::sign_out),
        post(urls::PREFERENCES, Anybody, preferences::choose),
        get(urls::SETUP, Anybody, setup::setup_page),
        post(urls::SETUP, Anybody, setup::begin),
        get(urls::SETUP_AUTHENTICATOR, Enrolling, setup::authenticator_page),
        post(urls::SETUP_AUTHENTICATOR, Enrolling, setup::confirm),
        get(urls::KEYS, SignedIn, list::keys_page),
        get(urls::REFUSED, SignedIn, refused::refused_page),
        post(urls::CREATE_KEY, SignedIn, changes::create),
        get(urls::KEY, SignedIn, detail::key_page),
        get(urls::CALLS, SignedIn, live::calls_stream),
        get(urls::SHOW_KEY, SignedIn, show::show_page),
        post(urls::SHOW_KEY, SignedIn, show::show),
        get(urls::DISABLE_KEY, SignedIn, changes::disable_page),
        post(urls::DISABLE_KEY, SignedIn, changes::disable),
        get(urls::ENABLE_KEY, SignedIn, changes::enable_page),
        post(urls::ENABLE_KEY, SignedIn, changes::enable),
        get(urls::DELETE_KEY, SignedIn, changes::delete_page),
        post(urls::DELETE_KEY, SignedIn, changes::delete),
        post(urls::REMARK_KEY, SignedIn, changes::set_remark),
        get(urls::RECORDS, SignedIn, records::records_page),
        get(urls::RECORDS_CSV, SignedIn, csv::download),
        get(urls::ROTATE_KEY, SignedIn, rotation::rotation_page),
        get(urls::DISABLE_ALL, SignedIn, disable_all::ask_page),
        post(urls::DISABLE_ALL, SignedIn, disable_all::disable_all),
        get(urls::SECURITY, SignedIn, overview::security_page),
        get(urls::PASSWORD, SignedIn, password::password_page),
        post(urls::PASSWORD, SignedIn, password::change),
        get(urls::AUTHENTICATOR, SignedIn, authenticator::replace_page),
        post(urls::AUTHENTICATOR, SignedIn, authenticator::begin),
        get(urls::NEW_AUTHENTICATOR, SignedIn, authenticator::new_page),
        post(urls::NEW_AUTHENTICATOR, SignedIn, authenticator::confirm),
        get(urls::RECOVERY_CODES, SignedIn, recovery_codes::replace_page),
        post(urls::RECOVERY_CODES, SignedIn, recovery_codes::replace),
        get(urls::END_SESSION, SignedIn, overview::end_page),
        post(urls::END_SESSION, SignedIn, overview::end),
        get(urls::END_OTHERS, SignedIn, overview::end_others_page),
        post(urls::END_OTHERS, SignedIn, overview::end_others),
        post(urls::PASSKEY_OPTIONS, SignedIn, passkeys::ask_for_own),
        get(urls::ADD_PASSKEY, SignedIn, passkeys::add_page),
        post(urls::ADD_PASSKEY, SignedIn, passkeys::begin),
        get(urls::NEW_PASSKEY, SignedIn, passkeys::new_page),
        post(urls::NEW_PASSKEY, SignedIn, passkeys::add),
        post(urls::NEW_PASSKEY_OPTIONS, SignedIn, passkeys::ask_for_new),
        post(urls::RENAME_PASSKEY, SignedIn, passkeys::rename),
        get(urls::REMOVE_PASSKEY, SignedIn, passkeys::remove_page),
        post(urls::REMOVE_PASSKEY, SignedIn, passkeys::remove),
    ]
}
