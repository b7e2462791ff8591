//! The interface of a signature scheme: how its claim is read from a request and matched against a key, and how a
//! mismatch is explained.
//!
//! A scheme is a file whose claim implements [`Scheme`], and a line in the list in `signature/mod.rs`. The list
//! generates the enums that the rest of the product uses for schemes and claims, so that a check needs no dynamic
//! dispatch.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::Malformed;
use super::diagnosis::Diagnosis;
use crate::types::clock::Timestamp;

/// The literal that stands in for the payload's hash if the client does not sign it.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// The SHA-256 of [`UNSIGNED_PAYLOAD`]. A body that is the literal itself has the same hash, and counts as unsigned.
const UNSIGNED_PAYLOAD_SHA256: &str = "438d4109ef0d676b8c2c7ed13cdfcb418e494d53b843d4634ce3b1085f07bb96";

/// A request as it was sent, with everything that a signature may cover.
#[derive(Clone, Copy, Debug)]
pub struct SentRequest<'r> {
    /// The method, as sent.
    pub method: &'r str,
    /// The path, as sent and not decoded.
    pub path: &'r str,
    /// The query, as sent and without the question mark; empty if there is none.
    pub query: &'r str,
    /// The headers, as sent.
    pub headers: &'r HeaderMap,
    /// The body, as far as it is known.
    pub body: SentBody<'r>,
    /// The decoded parameters of the query or the form, if the entry point accepts signatures among them.
    pub parameters: &'r [(String, String)],
}

/// A request's body, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum SentBody<'r> {
    /// The whole body.
    Whole(&'r [u8]),
    /// The body's SHA-256 in lower-case hexadecimal, or [`UNSIGNED_PAYLOAD`], as reported by a back end that has the
    /// body.
    Hashed(&'r str),
    /// Nothing, because the body is sent elsewhere. The client's own header states its hash.
    Elsewhere,
    /// Nothing, because the body has not been read yet.
    Unread,
}

impl<'r> SentBody<'r> {
    /// The body, if it is at hand.
    pub(super) fn whole(self) -> Option<&'r [u8]> {
        match self {
            Self::Whole(body) => Some(body),
            Self::Hashed(_) | Self::Elsewhere | Self::Unread => None,
        }
    }
}

/// The payload, as the signature covers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The payload's SHA-256 in lower-case hexadecimal, or that of [`UNSIGNED_PAYLOAD`]. Empty for a scheme that signs
    /// no hash.
    pub sha256: String,
    /// `true` if the client states [`UNSIGNED_PAYLOAD`].
    pub says_unsigned: bool,
}

impl Payload {
    /// The payload of a request whose whole body is `body`.
    pub(super) fn of(body: &[u8]) -> Self {
        Self { sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(body)), says_unsigned: false }
    }

    /// The payload, as described by a party that has it: by its hash, or by [`UNSIGNED_PAYLOAD`]. Returns `None` if it
    /// is neither.
    pub(super) fn stated(said: &str) -> Option<Self> {
        if said == UNSIGNED_PAYLOAD {
            return Some(Self { sha256: UNSIGNED_PAYLOAD_SHA256.to_owned(), says_unsigned: true });
        }
        let is_hash = said.len() == 64 && said.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Self { sha256: said.to_owned(), says_unsigned: false })
    }

    /// Returns `true` if the signature does not cover the payload.
    pub fn is_unsigned(&self) -> bool {
        self.says_unsigned || self.sha256 == UNSIGNED_PAYLOAD_SHA256
    }

    /// The value that a back end is given: the hash, or [`UNSIGNED_PAYLOAD`].
    pub fn shown(&self) -> &str {
        if self.says_unsigned { UNSIGNED_PAYLOAD } else { &self.sha256 }
    }
}

/// A signature scheme. It is implemented by its claim, which is read from a request and says that a key has signed it.
pub trait Scheme<'r>: Sized {
    /// The scheme's name, as it appears in `WWW-Authenticate`.
    const NAME: &'static str;
    /// `true` if a mismatch can be explained; see [`Scheme::diagnose`].
    const EXPLAINS: bool;
    /// The key that is derived from a secret for signing, if it is worth caching; otherwise `()`.
    type SigningKey;

    /// Returns `true` if the request claims to be signed under this scheme, whether rightly or not.
    fn is_used_by(request: &SentRequest<'_>) -> bool;

    /// The names of the headers that the request says are signed, in lower case. Empty if the claim cannot be read.
    fn signed_headers(request: &SentRequest<'r>) -> Vec<&'r str>;

    /// Returns `true` if the header of this name, in lower case, is part of the claim itself.
    fn reads_header(name: &str) -> bool;

    /// The payload, as the signature covers it.
    fn payload(request: &SentRequest<'_>) -> Result<Payload, Malformed>;

    /// Reads the claim, if the request carries a well-formed one.
    fn read(request: &SentRequest<'r>, payload: &'r Payload) -> Result<Self, Malformed>;

    /// The key's ID, as sent. Its shape has not been checked.
    fn secret_id(&self) -> &str;

    /// The time at which the request says it was signed. `None` if that is not a valid timestamp.
    fn signed_at(&self) -> Option<Timestamp>;

    /// How long the claim is valid after it was signed, in seconds, if it says so itself. Otherwise, the clock's limits
    /// apply.
    fn lifetime(&self) -> Option<u64> {
        None
    }

    /// Returns `true` if a temporary token was sent along.
    fn has_token(&self) -> bool;

    /// Region and service of the claim's scope, if the scheme has them.
    fn scope(&self) -> Option<(&str, &str)> {
        None
    }

    /// Derives the signing key for this claim. Returns `None` if the claim is wrong whatever the key.
    fn signing_key(&self, secret_key: &SecretString) -> Option<Self::SigningKey>;

    /// Returns `true` if this signing key, which was derived for an earlier claim, fits this claim as well.
    fn is_under(&self, signing_key: &Self::SigningKey) -> bool;

    /// Returns `true` if the signature is right. `signing_key` must be the one for this claim. Compares in constant
    /// time.
    fn matches(&self, secret_key: &SecretString, signing_key: &Self::SigningKey) -> bool;

    /// Finds out what client and server do differently. Returns `None` unless [`Scheme::EXPLAINS`].
    fn diagnose(&self, secret_key: &SecretString) -> Option<Diagnosis>;
}

/// The cached signing key of the latest claim that matched. Most clients use one key per day.
#[derive(Debug)]
pub struct Kept<K>(Mutex<Option<Arc<K>>>);

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K> Kept<K> {
    pub(super) fn get(&self) -> Option<Arc<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, key: K) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(key));
    }
}

/// Returns `true` if the claim is signed with `secret_key`. A signing key is cached only after it has matched, so that
/// nobody without the secret can evict the one in use.
pub(super) fn matches<'r, C: Scheme<'r>>(claim: &C, secret_key: &SecretString, kept: &Kept<C::SigningKey>) -> bool {
    if let Some(key) = kept.get().filter(|key| claim.is_under(key)) {
        return claim.matches(secret_key, &key);
    }
    let Some(key) = claim.signing_key(secret_key) else { return false };
    let matches = claim.matches(secret_key, &key);
    if matches {
        kept.keep(key);
    }
    matches
}

/// Generates the enums over all schemes. Each line gives the scheme's name, its module, and its claim in that module,
/// which also defines the scheme's `Malformed`.
macro_rules! schemes {
    ($($(#[$doc:meta])* $name:ident = $module:ident::$claim:ident,)*) => {
        /// A signature scheme, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SchemeName {
            $($(#[$doc])* $name,)*
        }

        /// A request's claim: by which key it was signed, when, and with what signature.
        #[derive(Debug)]
        pub enum Claim<'r> {
            $($(#[$doc])* $name($module::$claim<'r>),)*
        }

        /// The reason why a claim cannot be read, in words for the caller.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Malformed {
            /// There is no scheme's signature, or more than one.
            #[error("there must be exactly one Authorization header, or the parameters of signature version 1")]
            NoSignature,
            /// There is no usable timestamp.
            #[error("the timestamp must be given once, as seconds since 1970")]
            NoTimestamp,
            $(
                /// The claim is not a well-formed one of this scheme.
                #[error(transparent)]
                $name(#[from] $module::Malformed),
            )*
        }

        /// The signing keys that are cached for one key, one per scheme.
        #[derive(Debug, Default)]
        pub struct SigningKeys {
            $($module: Kept<<$module::$claim<'static> as Scheme<'static>>::SigningKey>,)*
        }

        impl SchemeName {
            /// The scheme's name, as it appears in `WWW-Authenticate`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $module::$claim::NAME,)*
                }
            }

            /// Returns `true` if the request claims to be signed under this scheme, whether rightly or not.
            pub fn is_used_by(self, request: &SentRequest<'_>) -> bool {
                match self {
                    $(Self::$name => $module::$claim::is_used_by(request),)*
                }
            }

            /// The names of the headers that the request says are signed, in lower case. Empty if the claim cannot be
            /// read.
            pub fn signed_headers<'r>(self, request: &SentRequest<'r>) -> Vec<&'r str> {
                match self {
                    $(Self::$name => $module::$claim::signed_headers(request),)*
                }
            }

            /// Returns `true` if the header of this name, in lower case, is part of the claim itself.
            pub fn reads_header(self, name: &str) -> bool {
                match self {
                    $(Self::$name => $module::$claim::reads_header(name),)*
                }
            }

            /// The payload, as the signature covers it.
            pub fn payload(self, request: &SentRequest<'_>) -> Result<Payload, Malformed> {
                match self {
                    $(Self::$name => $module::$claim::payload(request),)*
                }
            }

            /// Reads the claim, if the request carries a well-formed one.
            pub fn read<'r>(self, request: &SentRequest<'r>, payload: &'r Payload) -> Result<Claim<'r>, Malformed> {
                match self {
                    $(Self::$name => $module::$claim::read(request, payload).map(Claim::$name),)*
                }
            }
        }

        impl Claim<'_> {
            /// The key's ID, as sent. Its shape has not been checked.
            pub fn secret_id(&self) -> &str {
                match self {
                    $(Self::$name(claim) => claim.secret_id(),)*
                }
            }

            /// The time at which the request says it was signed. `None` if that is not a valid timestamp.
            pub fn signed_at(&self) -> Option<Timestamp> {
                match self {
                    $(Self::$name(claim) => claim.signed_at(),)*
                }
            }

            /// How long the claim is valid after it was signed, in seconds, if it says so itself.
            pub fn lifetime(&self) -> Option<u64> {
                match self {
                    $(Self::$name(claim) => claim.lifetime(),)*
                }
            }

            /// Returns `true` if a temporary token was sent along.
            pub fn has_token(&self) -> bool {
                match self {
                    $(Self::$name(claim) => claim.has_token(),)*
                }
            }

            /// Region and service of the claim's scope, if the scheme has them.
            pub fn scope(&self) -> Option<(&str, &str)> {
                match self {
                    $(Self::$name(claim) => claim.scope(),)*
                }
            }

            /// Returns `true` if the signature matches the request under `secret_key`. `kept` are the signing keys
            /// cached for that key.
            pub fn matches(&self, secret_key: &SecretString, kept: &SigningKeys) -> bool {
                match self {
                    $(Self::$name(claim) => scheme::matches(claim, secret_key, &kept.$module),)*
                }
            }

            /// Returns `true` if a mismatch can be explained.
            pub fn can_be_diagnosed(&self) -> bool {
                match self {
                    $(Self::$name(_) => $module::$claim::EXPLAINS,)*
                }
            }

            /// Finds out what client and server do differently. Returns `None` if the scheme cannot explain a mismatch.
            pub fn diagnose(&self, secret_key: &SecretString) -> Option<Diagnosis> {
                match self {
                    $(Self::$name(claim) => claim.diagnose(secret_key),)*
                }
            }
        }
    };
}

pub(super) use schemes;
