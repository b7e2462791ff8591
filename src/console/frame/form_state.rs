//! The state of a form that is shown again, with its errors.

use secrecy::SecretString;

use super::problem;
use crate::secret::password;
use crate::texts::Texts;

/// A form as it was sent, with its errors. It contains only what may be shown again, never a password or code.
#[derive(Debug, Default)]
pub struct FormState {
    /// The name that was typed.
    pub name: String,
    /// The errors, in the order of the fields.
    pub errors: Vec<FieldError>,
}

/// An error in a field.
#[derive(Clone, Debug)]
pub struct FieldError {
    /// The ID of the field.
    pub field: &'static str,
    /// The text, which says what is wrong and what to do.
    pub text: &'static str,
}

impl FormState {
    /// A form with one error.
    pub fn with_error(field: &'static str, text: &'static str) -> Self {
        Self { name: String::new(), errors: vec![FieldError { field, text }] }
    }

    /// A form with these errors.
    pub fn with_errors(errors: Vec<FieldError>) -> Self {
        Self { name: String::new(), errors }
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
    pub fn of(&self, field: &str) -> impl Iterator<Item = &'static str> {
        self.errors.iter().filter(move |error| error.field == field).map(|error| error.text)
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
        .map(move |flaw| FieldError { field, text: problem::of_flaw(flaw, texts) })
}
