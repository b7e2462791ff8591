//! Signing in and out.

use askama::Template;
use askama_web::WebTemplate;
use axum::Json;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::account::passkey_use::Answer;
use crate::account::second_factor::SecondFactor;
use crate::account::sign_in;
use crate::account::webauthn::Options;
use crate::account::{passkey_use, sessions, setup};
use crate::console::Console;
use crate::console::frame::form_state::FormState;
use crate::console::frame::page::{self, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::form::{Nothing, OwnForm};
use crate::console::session::{HalfSignedIn, Stage, Visitor};
use crate::types::error::Error;

#[derive(Template, WebTemplate)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    notice: Option<&'static str>,
    passkeys: bool,
    form: FormState,
}

impl LoginPage {
    fn new(console: &Console, page: Page, notice: Option<&'static str>, form: FormState) -> Self {
        Self { page, notice, passkeys: console.site.passkeys.is_some(), form }
    }
}

/// The query of the sign-in page: the reason why it is shown.
#[derive(Debug, Default, Deserialize)]
pub struct LoginQuery {
    notice: Option<String>,
}

/// `GET /login`
pub async fn login_page(
    console: Console,
    visitor: Visitor,
    Query(query): Query<LoginQuery>,
) -> Result<Response, PageError> {
    match visitor.stage() {
        Some(Stage::SignedIn(_)) => return Ok(Redirect::to(visitor.take_wanted(&console).as_str()).into_response()),
        Some(Stage::HalfSignedIn(_)) => return Ok(Redirect::to(urls::LOGIN_CODE).into_response()),
        _ => {}
    }
    let page = visitor.page(&console);
    let notice = match query.notice.as_deref() {
        Some("signed-out") => Some(page.t.sign_in.signed_out),
        Some("expired") => Some(page.t.sign_in.session_expired),
        // Only a hint: without the database, the page is there all the same.
        _ if setup::is_open(&console.app).await.unwrap_or(false) => Some(page.t.sign_in.no_account),
        _ => None,
    };
    Ok(LoginPage::new(&console, page, notice, FormState::default()).into_response())
}

/// The form with name and password.
#[derive(Deserialize)]
pub struct LoginForm {
    name: String,
    password: SecretString,
}

/// `POST /login`
pub async fn submit(
    console: Console,
    mut visitor: Visitor,
    OwnForm(form): OwnForm<LoginForm>,
) -> Result<Response, PageError> {
    let device = visitor.device(&console);
    let LoginForm { name, password } = form;
    let address = visitor.address;
    let accepted =
        sign_in::check_password(&console.app, &visitor.origin, address, &name, password, device.as_ref()).await;
    match accepted {
        Ok(pending) => {
            visitor.begin_sign_in(&console, pending).await?;
            Ok(Redirect::to(urls::LOGIN_CODE).into_response())
        }
        Err(Error::SignInRefused) => {
            let page = visitor.page(&console);
            let form = FormState::with_error("password", page.t.sign_in.refused).with_name(name);
            Ok(page::refused(LoginPage::new(&console, page, None, form)))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /login/passkey/options`: the challenge for the browser.
pub async fn ask_for_passkey(
    console: Console,
    visitor: Visitor,
    OwnForm(Nothing {}): OwnForm<Nothing>,
) -> Result<Json<Options>, PageError> {
    let (site, device) = (console.relying_party()?, visitor.device(&console));
    let asked = passkey_use::ask_for_any(&console.app, site, visitor.address, device.as_ref()).await;
    let (options, challenge) = asked?;
    visitor.keep_challenge(&console, &challenge);
    Ok(Json(options))
}

/// The form with the browser's response.
#[derive(Deserialize)]
pub struct PasskeyForm {
    passkey: String,
}

/// `POST /login/passkey`
pub async fn submit_passkey(
    console: Console,
    mut visitor: Visitor,
    OwnForm(form): OwnForm<PasskeyForm>,
) -> Result<Response, PageError> {
    let (device, address) = (visitor.device(&console), visitor.address);
    let (site, challenge) = (console.relying_party()?, visitor.take_challenge(&console));
    let answer = Answer { site, challenge, credential: &form.passkey };
    match sign_in::with_passkey(&console.app, &visitor.origin, address, device.as_ref(), answer).await {
        Ok(done) => {
            visitor.complete_sign_in(&console, done).await?;
            Ok(Redirect::to(visitor.take_wanted(&console).as_str()).into_response())
        }
        Err(Error::PasskeyRefused) => {
            let page = visitor.page(&console);
            let form = FormState::with_error("passkey", page.t.sign_in.passkey_refused);
            Ok(page::refused(LoginPage::new(&console, page, None, form)))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "login_code.html")]
struct CodePage {
    page: Page,
    recovery: bool,
    form: FormState,
}

/// The query of the code page: the kind of code to ask for.
#[derive(Debug, Default, Deserialize)]
pub struct CodeQuery {
    kind: Option<String>,
}

/// `GET /login/code`
pub async fn code_page(console: Console, half: HalfSignedIn, Query(query): Query<CodeQuery>) -> Response {
    let recovery = query.kind.as_deref() == Some("recovery");
    CodePage { page: half.visitor.page(&console), recovery, form: FormState::default() }.into_response()
}

/// The form with the code.
#[derive(Deserialize)]
pub struct CodeForm {
    kind: String,
    code: SecretString,
}

/// `POST /login/code`
pub async fn submit_code(
    console: Console,
    half: HalfSignedIn,
    OwnForm(form): OwnForm<CodeForm>,
) -> Result<Response, PageError> {
    let HalfSignedIn { mut visitor, pending } = half;
    let (recovery, code) = (form.kind == "recovery", form.code.expose_secret());
    let factor = if recovery { SecondFactor::Recovery(code) } else { SecondFactor::Totp(code) };
    match sign_in::check_code(&console.app, &visitor.origin, &pending, factor).await {
        Ok(done) => {
            visitor.complete_sign_in(&console, done).await?;
            Ok(Redirect::to(visitor.take_wanted(&console).as_str()).into_response())
        }
        Err(Error::CodeRefused) => {
            let page = visitor.page(&console);
            let form = FormState::with_error("code", page.t.credentials.code_refused);
            Ok(page::refused(CodePage { page, recovery, form }))
        }
        Err(Error::CodeSpent { wait }) => {
            let page = visitor.page(&console);
            let form = FormState::with_spent_code(wait, page.t);
            Ok(page::refused(CodePage { page, recovery, form }))
        }
        // The account has changed since the password was entered, so start over.
        Err(Error::SignInRefused) => {
            visitor.end().await?;
            Err(PageError::SignIn { expired: true })
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /logout`, from any stage.
pub async fn sign_out(
    console: Console,
    mut visitor: Visitor,
    OwnForm(Nothing {}): OwnForm<Nothing>,
) -> Result<Redirect, PageError> {
    if let Some(stage) = visitor.stage()
        && let (Some(uin), Some(handle)) = (stage.uin(), stage.handle())
    {
        sessions::sign_out(&console.app, &visitor.origin, uin, handle).await?;
    }
    visitor.end().await?;
    Ok(Redirect::to(urls::LOGIN_SIGNED_OUT))
}
