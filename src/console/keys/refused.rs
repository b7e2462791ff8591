//! Looking up a refused call by the RequestId that its caller was told, `/cam/capi/refused`.

use askama::Template;
use axum::extract::Query;
use serde::Deserialize;

use super::reasons;
use crate::console::Console;
use crate::console::frame::form_state::FormState;
use crate::console::frame::moment::Moment;
use crate::console::frame::page::{AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::recent_use;
use crate::types::id::SecretId;

/// The length to which a typed RequestId is cut. The server's own have 36 characters.
const LONGEST_ID: usize = 64;

/// The page of a refused call.
#[derive(Template)]
#[template(path = "refused.html")]
pub struct RefusedPage {
    page: Page,
    asked: String,
    form: FormState,
    call: Option<CallView>,
}

struct CallView {
    request_id: String,
    secret_id: SecretId,
    at: Moment,
    signed_at: Moment,
    action: String,
    address: String,
    reason: &'static str,
    cause: String,
    canonical_request: String,
    string_to_sign: String,
}

/// The query of the look-up.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    request_id: String,
}

/// `GET /cam/capi/refused`
pub async fn refused_page(
    console: Console,
    mut owner: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<AccountPage<RefusedPage>, PageError> {
    let app = &console.app;
    let page = owner.page(&console).await?;
    let texts = page.t;
    let asked: String = asked.request_id.trim().chars().take(LONGEST_ID).collect();
    let mut found = None;
    if let Ok(request_id) = asked.parse() {
        app.usage.flush().await;
        found = recent_use::refused_call(app, owner.proof(), request_id).await?;
    }
    let unknown = !asked.is_empty() && found.is_none();
    let form = if unknown { FormState::with_error("request_id", texts.refused.unknown) } else { FormState::default() };
    let call = found.map(|row| CallView {
        at: row.at.into(),
        signed_at: row.signed_at.into(),
        reason: reasons::of_refusal(&row.reason, texts),
        cause: reasons::of_cause(&row, texts),
        request_id: row.request_id,
        secret_id: row.secret_id,
        action: row.action,
        address: row.address,
        canonical_request: row.canonical_request,
        string_to_sign: row.string_to_sign,
    });
    Ok(AccountPage(RefusedPage { page, asked, form, call }))
}
