//! Typed IDs. Each maps to one column type on both database engines, and is displayed in the form that users know.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::random;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $low:literal ..= $high:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Generates a random ID from the whole range.
            pub fn generate() -> Self {
                Self(random::number_in($low..=$high))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A root account's number: 12 digits.
    Uin, 100_000_000_000..=999_999_999_999
);
number_id!(
    /// The account's APPID: 10 digits.
    AppId, 1_000_000_000..=9_999_999_999
);

/// The public half of a key pair: `AKID` and 32 letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(try_from = "String", into = "String")]
pub struct SecretId(String);

const SECRET_ID_PREFIX: &str = "AKID";
const SECRET_ID_RANDOM: usize = 32;

impl SecretId {
    /// Generates a random ID.
    pub fn generate() -> Self {
        Self(format!("{SECRET_ID_PREFIX}{}", random::alphanumeric(SECRET_ID_RANDOM)))
    }

    /// Returns `true` if the text has the shape of a SecretId.
    pub fn is_one(text: &str) -> bool {
        let random = text.strip_prefix(SECRET_ID_PREFIX).unwrap_or_default();
        random.len() == SECRET_ID_RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric())
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A short form for sentences: the first eight characters, an ellipsis, and the last four.
    pub fn short(&self) -> String {
        format!("{}…{}", &self.0[..8], self.ending())
    }

    /// The last four characters.
    pub fn ending(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error for a text that does not have the shape of a SecretId.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a SecretId, which is AKID and 32 letters or digits")]
pub struct NotASecretId;

impl FromStr for SecretId {
    type Err = NotASecretId;

    fn from_str(text: &str) -> Result<Self, NotASecretId> {
        if Self::is_one(text) { Ok(Self(text.to_owned())) } else { Err(NotASecretId) }
    }
}

/// Lets maps of keys be queried with the text of a request.
impl Borrow<str> for SecretId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretId {
    type Error = NotASecretId;

    fn try_from(text: String) -> Result<Self, NotASecretId> {
        text.parse()
    }
}

impl From<SecretId> for String {
    fn from(id: SecretId) -> Self {
        id.0
    }
}

const HANDLE_CHARS: usize = 22;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Generates a random ID.
            pub fn generate() -> Self {
                Self(random::alphanumeric(HANDLE_CHARS))
            }

            /// Parses a handle from a URL. Returns `None` if the text does not have the shape of one.
            pub fn parse(text: &str) -> Option<Self> {
                let shaped = text.len() == HANDLE_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric());
                shaped.then(|| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

handle!(
    /// A random name of a session, for forms and records. It grants no access.
    SessionHandle
);
handle!(
    /// A random name of a passkey, for forms and records. It grants no access.
    PasskeyHandle
);

/// The ID of a request, for responses, logs and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestId(uuid::Uuid);

impl RequestId {
    /// Generates a random ID (UUID version 4, RFC 9562).
    pub fn generate() -> Self {
        Self(uuid::Builder::from_random_bytes(random::name_bytes()).into_uuid())
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
