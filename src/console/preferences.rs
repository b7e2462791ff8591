//! Changing language and theme: the switches in the top bar of every page.

use axum::response::Redirect;
use serde::Deserialize;
use tower_cookies::cookie::SameSite;
use tower_cookies::cookie::time::Duration;

use super::Console;
use super::frame::reader::Theme;
use super::frame::urls::LocalPath;
use super::session::Visitor;
use super::session::form::OwnForm;
use crate::texts::Texts;

/// The time for which a choice is remembered.
const REMEMBERED: Duration = Duration::days(365);

/// The choice in the top bar, and the page to return to.
#[derive(Debug, Deserialize)]
pub struct Choice {
    language: Option<String>,
    theme: Option<String>,
    back: String,
}

/// `POST /preferences`
pub async fn choose(console: Console, visitor: Visitor, OwnForm(choice): OwnForm<Choice>) -> Redirect {
    let names = &console.site.cookies;
    let remember = |name: &String, value: &str| {
        // Lax, so that a page reached by a link from another site also has the chosen language and theme.
        let mut cookie = console.site.cookie(name.clone(), value.to_owned());
        cookie.set_same_site(SameSite::Lax);
        cookie.set_max_age(REMEMBERED);
        visitor.set_cookie(cookie);
    };
    if let Some(texts) = choice.language.as_deref().and_then(Texts::of_tag) {
        remember(&names.language, texts.tag);
    }
    if let Some(theme) = choice.theme.as_deref().and_then(Theme::named) {
        remember(&names.theme, theme.name());
    }
    Redirect::to(LocalPath::new(&choice.back).unwrap_or_default().as_str())
}
