//! What a session holds: how far somebody has come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::credentials::Replacement;
use crate::account::passkeys::{Addition, Challenge};
use crate::account::setup::{ENROLMENT_LIFETIME, Enrolment};
use crate::account::sign_in::{PasswordAccepted, Previous};
use crate::api_key::RevealTicket;
use crate::clock::Timestamp;
use crate::id::{SessionHandle, Uin};
use crate::web::flash::Flash;

/// The one entry of a session's data.
pub(in crate::web) const STAGE: &str = "stage";

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
    pub(super) pending: PasswordAccepted,
    pub(super) since: Timestamp,
}

/// [`Stage::SignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedInState {
    pub(super) uin: Uin,
    pub(super) handle: SessionHandle,
    pub(super) epoch: i64,
    pub(super) since: Timestamp,
    /// What form tokens are bound to from sign-in to sign-out: verifying in one tab leaves the forms of others alone.
    pub(super) form_binding: String,
    /// The sign-in before.
    pub previous: Previous,
    pub(super) verified_at: Option<Timestamp>,
    pub(super) reveal: Option<RevealTicket>,
    pub(super) replacement: Option<Replacement>,
    /// The browser has been asked for a passkey, to verify or to add it.
    pub(super) challenge: Option<Challenge>,
    pub(super) addition: Option<Addition>,
    pub(super) flash: Option<Flash>,
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
