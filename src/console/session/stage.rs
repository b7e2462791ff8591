//! What a session holds: how far somebody has come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::credentials::Replacement;
use crate::account::passkey_use::Challenge;
use crate::account::passkeys::Addition;
use crate::account::setup::{ENROLMENT_LIFETIME, Enrolment};
use crate::account::sign_in::{PasswordAccepted, Previous};
use crate::console::frame::flash::Flash;
use crate::keys::reveal::RevealTicket;
use crate::types::clock::Timestamp;
use crate::types::id::{SessionHandle, Uin};

/// The one entry of a session's data.
pub(crate) const STAGE: &str = "stage";

const HALF_SIGNED_IN_LIFETIME: Duration = Duration::from_mins(5);

/// How far somebody has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// Has used a set-up link; the first code is awaited.
    Enrolling(Enrolling),
    /// Has given a right password; the code is awaited.
    HalfSignedIn(HalfSignedInState),
    /// Is signed in.
    SignedIn(Box<SignedInState>),
}

/// [`Stage::Enrolling`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolling {
    /// What is being set up.
    pub enrolment: Enrolment,
    /// Since when.
    pub since: Timestamp,
}

/// [`Stage::HalfSignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HalfSignedInState {
    pub(crate) pending: PasswordAccepted,
    pub(crate) since: Timestamp,
}

/// [`Stage::SignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedInState {
    pub(crate) uin: Uin,
    pub(crate) handle: SessionHandle,
    pub(crate) epoch: i64,
    pub(crate) since: Timestamp,
    /// What form tokens are bound to from sign-in to sign-out: verifying in one tab leaves the forms of others alone.
    pub(crate) form_binding: String,
    /// The sign-in before.
    pub previous: Previous,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) reveal: Option<RevealTicket>,
    pub(crate) replacement: Option<Replacement>,
    /// The browser has been asked for a passkey, to verify or to add it.
    pub(crate) challenge: Option<Challenge>,
    pub(crate) addition: Option<Addition>,
    pub(crate) flash: Option<Flash>,
}

impl Stage {
    /// The account, if one is known.
    pub fn uin(&self) -> Option<Uin> {
        match self {
            Self::Enrolling(_) => None,
            Self::HalfSignedIn(half) => Some(half.pending.uin),
            Self::SignedIn(state) => Some(state.uin),
        }
    }

    /// The completed sign-in that the session belongs to.
    pub fn handle(&self) -> Option<&SessionHandle> {
        match self {
            Self::SignedIn(state) => Some(&state.handle),
            _ => None,
        }
    }

    /// When the session ends in any case.
    pub fn expires_at(&self, session_max: Duration) -> Timestamp {
        match self {
            Self::Enrolling(enrolling) => enrolling.since.plus(ENROLMENT_LIFETIME),
            Self::HalfSignedIn(half) => half.since.plus(HALF_SIGNED_IN_LIFETIME),
            Self::SignedIn(state) => state.since.plus(session_max),
        }
    }
}
