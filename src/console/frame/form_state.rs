//! The state of a form that is shown again, with its errors.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;

use super::problem;
use crate::secret::password;

use crate::texts::{Credentials, Text, Texts};

/// A form as it was sent, with its errors. It contains only what may be shown again, never a password or code.
#[derive(Debug, Default)]
pub struct FormState {
    /// The name that was typed.
    pub name: String,
    /// The errors, in the order of the fields.
    pub errors: Vec<FieldError>,
    /// The wait for the next code, if the code has just been used.
    pub countdown: Option<Countdown>,
}

/// The wait for the authenticator's next code, for a script to count down.
#[derive(Clone, Debug, Serialize)]
pub struct Countdown {
    /// The number of seconds left.
    pub seconds: u64,
    /// The text during the wait, with `{n}` for the number of seconds left.
    pub left: Text,
    /// The text after the wait.
    pub over: Text,
}

/// An error in a field.
#[derive(Clone, Debug)]
pub struct FieldError {
    /// The ID of the field.
    pub field: &'static str,
    /// The text, which says what is wrong and what to do.
    pub text: Cow<'static, str>,
}

impl FormState {
    /// A form with one error.
    pub fn with_error(field: &'static str, text: Text) -> Self {
        Self::with_errors(vec![FieldError { field, text: text.into() }])
    }

    /// A form whose code is correct but has just been used. The next one comes after `wait`.
    pub fn with_spent_code(wait: Duration, texts: &Texts) -> Self {
        let Credentials { code_spent: left, code_next: over, .. } = texts.credentials;
        // Rounded up, because the old code is still shown in the last fraction of a second.
        let seconds = wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        let text = if seconds == 0 { over.into() } else { left.replace("{n}", &seconds.to_string()).into() };
        let countdown = Some(Countdown { seconds, left, over });
        Self { countdown, ..Self::with_errors(vec![FieldError { field: "code", text }]) }
    }

    /// A form with these errors.
    pub fn with_errors(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::default() }
    }

    /// Adds the name that was typed.
    #[must_use]
    pub fn with_name(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Returns `true` if this field has an error.
    pub fn has(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// The errors in this field.
    pub fn of(&self, field: &str) -> impl Iterator<Item = &str> {
        self.errors.iter().filter(move |error| error.field == field).map(|error| &*error.text)
    }

    /// Returns `true` if this is the only field with errors. In that case, the field has the focus; otherwise a summary
    /// of the errors has it.
    pub fn is_only(&self, field: &str) -> bool {
        self.has(field) && self.errors.iter().all(|error| error.field == field)
    }

    /// Returns `true` if more than one field has errors.
    pub fn has_several(&self) -> bool {
        self.errors.first().is_some_and(|first| !self.is_only(first.field))
    }
}

/// The errors of a new password for the account `name`, to show beside its field.
pub fn of_new_password<'a>(
    field: &'static str,
    password: &SecretString,
    name: &str,
    texts: &'a Texts,
) -> impl Iterator<Item = FieldError> + use<'a> {
    password::flaws(password, name)
        .into_iter()
        .map(move |flaw| FieldError { field, text: problem::of_flaw(flaw, texts).into() })
}
