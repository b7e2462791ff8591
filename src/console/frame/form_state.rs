//! A form that is shown again, with what is wrong with it.

use secrecy::SecretString;

use super::problem;
use crate::secret::password;
use crate::texts::Texts;

/// A form as it was sent, with what is wrong with it. Only what may be shown again is kept: never a password or code.
#[derive(Debug, Default)]
pub struct FormState {
    /// The name, to be shown again.
    pub name: String,
    /// What is wrong, in the order of the fields.
    pub errors: Vec<FieldError>,
}

/// What is wrong with a field.
#[derive(Clone, Debug)]
pub struct FieldError {
    /// The field's id.
    pub field: &'static str,
    /// In words, with what to do.
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

    /// With the name to be shown again.
    #[must_use]
    pub fn with_name(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Is there something wrong with this field?
    pub fn has(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// Everything that is wrong with this field.
    pub fn of(&self, field: &str) -> impl Iterator<Item = &'static str> {
        self.errors.iter().filter(move |error| error.field == field).map(|error| error.text)
    }

    /// Is this the only field with something wrong? It takes the focus then; several have a summary, which takes it.
    pub fn is_only(&self, field: &str) -> bool {
        self.has(field) && self.errors.iter().all(|error| error.field == field)
    }

    /// Are there errors in more than one field?
    pub fn has_several(&self) -> bool {
        self.errors.first().is_some_and(|first| !self.is_only(first.field))
    }
}

/// Everything that is wrong with a new password for the account `name`, beside its field.
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
