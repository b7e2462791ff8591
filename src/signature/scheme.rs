//! What a signature scheme is: how a claim is read off a request, matched against a key, and how a mismatch is explained.
//!
//! A scheme is a file whose claim implements [`Scheme`], and a line in the list in `signature/mod.rs`. The list makes the
//! enums by which the rest of the product names schemes and holds claims, so that a check needs no dynamic dispatch.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use secrecy::SecretString;

use super::Malformed;
use super::diagnosis::Diagnosis;
use crate::types::clock::Timestamp;

/// In place of the payload's hash, where the client does not sign it.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// The SHA-256 of [`UNSIGNED_PAYLOAD`]. A body that is the literal itself has the same hash, and is taken for unsigned.
const UNSIGNED_PAYLOAD_SHA256: &str = "438d4109ef0d676b8c2c7ed13cdfcb418e494d53b843d4634ce3b1085f07bb96";

/// A request as it was sent, with everything that a signature may cover.
#[derive(Clone, Copy, Debug)]
pub struct SentRequest<'r> {
    /// As sent.
    pub method: &'r str,
    /// As sent, undecoded.
    pub path: &'r str,
    /// As sent, without the question mark; empty for none.
    pub query: &'r str,
    /// As sent.
    pub headers: &'r HeaderMap,
    /// What is known of the body.
    pub body: SentBody<'r>,
    /// The decoded parameters of query or form, where an entry point takes signatures from among them.
    pub parameters: &'r [(String, String)],
}

/// What is known of a request's body.
#[derive(Clone, Copy, Debug)]
pub enum SentBody<'r> {
    /// All of it.
    Whole(&'r [u8]),
    /// Its SHA-256 in lower-case hexadecimal, or [`UNSIGNED_PAYLOAD`], from a back end that has the body.
    Hashed(&'r str),
    /// Nothing, for it goes elsewhere. Its hash is what the client's own header says.
    Elsewhere,
    /// Nothing yet.
    Unread,
}

/// What a signature says of the payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// Its SHA-256 in lower-case hexadecimal, or that of [`UNSIGNED_PAYLOAD`]. Empty for a scheme that signs no hash.
    pub sha256: String,
    /// Does the client say [`UNSIGNED_PAYLOAD`]?
    pub says_unsigned: bool,
}

impl Payload {
    /// Does the signature leave the payload open?
    pub fn is_unsigned(&self) -> bool {
        self.says_unsigned || self.sha256 == UNSIGNED_PAYLOAD_SHA256
    }

    /// What a back end is told: the hash, or [`UNSIGNED_PAYLOAD`].
    pub fn shown(&self) -> &str {
        if self.says_unsigned { UNSIGNED_PAYLOAD } else { &self.sha256 }
    }
}

/// A signature scheme, implemented by what it reads off a request: the claim that a key has signed it.
pub trait Scheme<'r>: Sized {
    /// The scheme's name, as it stands in `WWW-Authenticate` and in records.
    const NAME: &'static str;
    /// Can a mismatch be explained? See [`Scheme::diagnose`].
    const EXPLAINS: bool;
    /// What is derived from a secret to sign with, and worth keeping beside the key; `()` for nothing.
    type SigningKey;

    /// Does the request claim to be signed under this scheme, rightly or not?
    fn is_used_by(request: &SentRequest<'_>) -> bool;

    /// The names of the headers that the request says are signed, in lower case. None if it cannot be read.
    fn signed_headers(request: &SentRequest<'r>) -> Vec<&'r str>;

    /// Is this header, its name in lower case, part of the claim itself?
    fn reads_header(name: &str) -> bool;

    /// What the signature says of the payload.
    fn payload(request: &SentRequest<'_>) -> Result<Payload, Malformed>;

    /// The claim, if the request carries a well-formed one.
    fn read(request: &SentRequest<'r>, payload: &'r Payload) -> Result<Self, Malformed>;

    /// The key's id as sent; its shape is not yet checked.
    fn secret_id(&self) -> &str;

    /// When the request says it was signed; none if that is not an instant.
    fn signed_at(&self) -> Option<Timestamp>;

    /// Is a temporary token sent along?
    fn has_token(&self) -> bool;

    /// The key that signs such claims; none if the claim is wrong whatever the key.
    fn signing_key(&self, secret_key: &SecretString) -> Option<Self::SigningKey>;

    /// Is this signing key, derived for an earlier claim, the one for this claim as well?
    fn is_under(&self, signing_key: &Self::SigningKey) -> bool;

    /// Is the signature right? The signing key is the one for this claim. Compared in constant time.
    fn matches(&self, secret_key: &SecretString, signing_key: &Self::SigningKey) -> bool;

    /// Looks for what client and server do differently. None unless [`Scheme::EXPLAINS`].
    fn diagnose(&self, secret_key: &SecretString) -> Option<Diagnosis>;
}

/// The signing key of the latest claim that was right; most clients use one a day.
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

/// Is the claim signed with `secret_key`? A signing key is kept only once it has matched, so that nobody without the secret
/// can push out the one in use.
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

/// The enums over all schemes. Each line has a scheme's name here, its module, and its claim there; the module also has its
/// `Malformed`.
macro_rules! schemes {
    ($($(#[$doc:meta])* $name:ident = $module:ident::$claim:ident,)*) => {
        /// A signature scheme, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SchemeName {
            $($(#[$doc])* $name,)*
        }

        /// What a request says of itself: whose it is, when it was signed, and that it was.
        #[derive(Debug)]
        pub enum Claim<'r> {
            $($(#[$doc])* $name($module::$claim<'r>),)*
        }

        /// A claim that cannot be read; what is wrong with it, for the caller.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Malformed {
            /// No scheme's signature, or more than one.
            #[error("there must be exactly one Authorization header, or the parameters of signature version 1")]
            NoSignature,
            /// No usable timestamp.
            #[error("the timestamp must be given once, as seconds since 1970")]
            NoTimestamp,
            $(
                /// Not a claim of this scheme.
                #[error(transparent)]
                $name(#[from] $module::Malformed),
            )*
        }

        /// The signing keys that are kept for one key, one a scheme.
        #[derive(Debug, Default)]
        pub struct SigningKeys {
            $($module: Kept<<$module::$claim<'static> as Scheme<'static>>::SigningKey>,)*
        }

        impl SchemeName {
            /// As it stands in `WWW-Authenticate` and in records.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $module::$claim::NAME,)*
                }
            }

            /// Does the request claim to be signed under this scheme, rightly or not?
            pub fn is_used_by(self, request: &SentRequest<'_>) -> bool {
                match self {
                    $(Self::$name => $module::$claim::is_used_by(request),)*
                }
            }

            /// The names of the headers that the request says are signed, in lower case. None if it cannot be read.
            pub fn signed_headers<'r>(self, request: &SentRequest<'r>) -> Vec<&'r str> {
                match self {
                    $(Self::$name => $module::$claim::signed_headers(request),)*
                }
            }

            /// Is this header, its name in lower case, part of the claim itself?
            pub fn reads_header(self, name: &str) -> bool {
                match self {
                    $(Self::$name => $module::$claim::reads_header(name),)*
                }
            }

            /// What the signature says of the payload.
            pub fn payload(self, request: &SentRequest<'_>) -> Result<Payload, Malformed> {
                match self {
                    $(Self::$name => $module::$claim::payload(request),)*
                }
            }

            /// The claim, if the request carries a well-formed one.
            pub fn read<'r>(self, request: &SentRequest<'r>, payload: &'r Payload) -> Result<Claim<'r>, Malformed> {
                match self {
                    $(Self::$name => $module::$claim::read(request, payload).map(Claim::$name),)*
                }
            }
        }

        impl Claim<'_> {
            /// The key's id as sent; its shape is not yet checked.
            pub fn secret_id(&self) -> &str {
                match self {
                    $(Self::$name(claim) => claim.secret_id(),)*
                }
            }

            /// When the request says it was signed; none if that is not an instant.
            pub fn signed_at(&self) -> Option<Timestamp> {
                match self {
                    $(Self::$name(claim) => claim.signed_at(),)*
                }
            }

            /// Is a temporary token sent along?
            pub fn has_token(&self) -> bool {
                match self {
                    $(Self::$name(claim) => claim.has_token(),)*
                }
            }

            /// Is the signature that of the request under `secret_key`? `kept` are that key's.
            pub fn matches(&self, secret_key: &SecretString, kept: &SigningKeys) -> bool {
                match self {
                    $(Self::$name(claim) => scheme::matches(claim, secret_key, &kept.$module),)*
                }
            }

            /// Can a mismatch be explained?
            pub fn can_be_diagnosed(&self) -> bool {
                match self {
                    $(Self::$name(_) => $module::$claim::EXPLAINS,)*
                }
            }

            /// Looks for what client and server do differently. None where that cannot be explained.
            pub fn diagnose(&self, secret_key: &SecretString) -> Option<Diagnosis> {
                match self {
                    $(Self::$name(claim) => claim.diagnose(secret_key),)*
                }
            }
        }
    };
}

pub(super) use schemes;
