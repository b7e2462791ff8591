//! Account setup with a one-time link.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::account::setup::{self, Enrolment, Purpose};
use crate::account::{check_name, sign_in};
use crate::console::Console;
use crate::console::frame::enrolment::{At, AuthenticatorPage, ConfirmForm, RecoveryCodesPage};
use crate::console::frame::form_state::{self, FieldError, FormState};
use crate::console::frame::page::{self, AccountPage, Confidential, Page};
use crate::console::frame::problem::{self, PageError, Problem};
use crate::console::frame::urls;
use crate::console::session::form::OwnForm;
use crate::console::session::{SettingUp, Visitor};
use crate::secret::token::Token;
use crate::texts::Text;
use crate::types::error::Error;

/// The first page, which contains the link's token.
#[derive(Template, WebTemplate)]
#[template(path = "setup.html")]
pub struct SetupPage {
    page: Page,
    heading: Text,
    intro: Text,
    link_token: String,
    asks_name: bool,
    asks_new_password: bool,
    form: FormState,
}

/// The query with the link's token.
#[derive(Deserialize)]
pub struct LinkQuery {
    token: Option<Token>,
}

/// `GET /setup?token=…`. Viewing the page does not spend the link.
pub async fn setup_page(
    console: Console,
    visitor: Visitor,
    Query(query): Query<LinkQuery>,
) -> Result<Confidential<SetupPage>, PageError> {
    let token = query.token.ok_or(Problem::LinkInvalid)?;
    Ok(Confidential(first_page(&console, &visitor, token, FormState::default()).await?))
}

async fn first_page(
    console: &Console,
    visitor: &Visitor,
    token: Token,
    form: FormState,
) -> Result<SetupPage, PageError> {
    let (purpose, name) = setup::look_up(&console.app, &token).await?;
    // A submitted form has the token in its body, not in its URL.
    let link = format!("{}?token={}", urls::SETUP, token.expose_secret());
    let page = visitor.page(console).at(&link);
    let texts = &page.t.setup;
    let (heading, intro) = match purpose {
        Purpose::First | Purpose::Account(_) => (texts.title, texts.intro),
        Purpose::Mfa(_) => (texts.new_factor_title, texts.new_factor_intro),
        Purpose::Recovery(_) => (texts.recover_title, texts.recover_intro),
    };
    Ok(SetupPage {
        page,
        heading,
        intro,
        link_token: token.expose_secret().to_owned(),
        asks_name: purpose.asks_name(),
        asks_new_password: purpose.asks_new_password(),
        form: FormState { name: name.unwrap_or(form.name), ..form },
    })
}

/// The form of the first step.
#[derive(Deserialize)]
pub struct SetupForm {
    token: Token,
    name: String,
    password: SecretString,
    again: Option<SecretString>,
}

/// `POST /setup`
pub async fn begin(
    console: Console,
    mut visitor: Visitor,
    OwnForm(form): OwnForm<SetupForm>,
) -> Result<Response, PageError> {
    let SetupForm { token, name, password, again } = form;
    let texts = visitor.page(&console).t;
    let (purpose, account_name) = setup::look_up(&console.app, &token).await?;
    let mut errors = Vec::new();
    if purpose.asks_name() && check_name(&name).is_err() {
        errors.push(FieldError { field: "name", text: texts.credentials.name_invalid.into() });
    }
    if purpose.asks_new_password() {
        errors.extend(form_state::of_new_password(
            "password",
            &password,
            account_name.as_deref().unwrap_or(&name),
            texts,
        ));
        if again.is_none_or(|again| again.expose_secret() != password.expose_secret()) {
            errors.push(FieldError { field: "again", text: texts.credentials.password_differs.into() });
        }
    }
    if !errors.is_empty() {
        let form = FormState::with_errors(errors).with_name(name);
        return Ok(Confidential(page::refused(first_page(&console, &visitor, token, form).await?)).into_response());
    }
    let (field, text) = match setup::begin(&console.app, &visitor.origin, &token, &name, password).await {
        Ok(enrolment) => {
            visitor.begin_enrolment(&console, enrolment).await?;
            return Ok(Redirect::to(urls::SETUP_AUTHENTICATOR).into_response());
        }
        Err(Error::NameInvalid) => ("name", texts.credentials.name_invalid),
        Err(Error::NameTaken) => ("name", texts.credentials.name_taken),
        Err(Error::PasswordUnfit(flaw)) => ("password", problem::of_flaw(flaw, texts)),
        Err(Error::PasswordWrong) => ("password", texts.credentials.password_wrong),
        Err(error) => return Err(error.into()),
    };
    let form = FormState::with_error(field, text).with_name(name);
    Ok(Confidential(page::refused(first_page(&console, &visitor, token, form).await?)).into_response())
}

async fn authenticator(
    console: &Console,
    visitor: &Visitor,
    enrolment: &Enrolment,
    form: FormState,
) -> Result<AuthenticatorPage, PageError> {
    let seed = enrolment.seed(&console.app).await?;
    Ok(AuthenticatorPage::new(visitor.page(console), At::SetUp, enrolment.name(), &seed, form)?)
}

/// `GET /setup/authenticator`
pub async fn authenticator_page(
    console: Console,
    setting_up: SettingUp,
) -> Result<Confidential<AccountPage<AuthenticatorPage>>, PageError> {
    let SettingUp { visitor, enrolment } = setting_up;
    Ok(Confidential(AccountPage(authenticator(&console, &visitor, &enrolment, FormState::default()).await?)))
}

/// `POST /setup/authenticator`. This is the only response that shows the recovery codes; no page shows them again.
pub async fn confirm(
    console: Console,
    setting_up: SettingUp,
    OwnForm(form): OwnForm<ConfirmForm>,
) -> Result<Response, PageError> {
    let SettingUp { mut visitor, enrolment } = setting_up;
    let completed = match setup::confirm(&console.app, &visitor.origin, &enrolment, form.code.expose_secret()).await {
        Ok(completed) => completed,
        Err(Error::CodeRefused) => {
            let text = visitor.page(&console).t.authenticator.code_refused;
            let form = FormState::with_error("code", text);
            let page = authenticator(&console, &visitor, &enrolment, form).await?;
            return Ok(Confidential(page::refused(page)).into_response());
        }
        Err(error @ (Error::SetupLinkInvalid | Error::NameTaken)) => {
            visitor.end().await?;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    let done = sign_in::after_setup(&console.app, &visitor.origin, completed.uin).await?;
    visitor.complete_sign_in(&console, done).await?;
    let codes = &completed.recovery_codes;
    let page = RecoveryCodesPage::new(visitor.page(&console), At::SetUp, enrolment.name(), codes);
    Ok(Confidential(AccountPage(page)).into_response())
}
