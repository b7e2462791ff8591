//! The data of a session: the stage that its visitor has reached.

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

/// The only key in a session's data.
pub(crate) const STAGE: &str = "stage";

const HALF_SIGNED_IN_LIFETIME: Duration = Duration::from_mins(5);

/// The stage that a visitor has reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// The visitor has used a setup link, and the first code is awaited.
    Enrolling(Enrolling),
    /// The visitor has entered the correct password, and the code is awaited.
    HalfSignedIn(HalfSignedInState),
    /// The visitor is signed in.
    SignedIn(Box<SignedInState>),
}

/// The data of [`Stage::Enrolling`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolling {
    /// The setup in progress.
    pub enrolment: Enrolment,
    /// The time at which it began.
    pub since: Timestamp,
}

/// The data of [`Stage::HalfSignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HalfSignedInState {
    pub(crate) pending: PasswordAccepted,
    pub(crate) since: Timestamp,
}

/// The data of [`Stage::SignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedInState {
    pub(crate) uin: Uin,
    pub(crate) handle: SessionHandle,
    pub(crate) epoch: i64,
    pub(crate) since: Timestamp,
    /// The value that form tokens are bound to from sign-in to sign-out. A verification in one tab changes the session
    /// ID, but does not invalidate the forms in others.
    pub(crate) form_binding: String,
    /// The previous sign-in.
    pub previous: Previous,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) reveal: Option<RevealTicket>,
    pub(crate) replacement: Option<Replacement>,
    /// The challenge that the browser was sent, to verify or to add a passkey.
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

    /// The time at which the session ends at the latest.
    pub fn expires_at(&self, session_max: Duration) -> Timestamp {
        match self {
            Self::Enrolling(enrolling) => enrolling.since.plus(ENROLMENT_LIFETIME),
            Self::HalfSignedIn(half) => half.since.plus(HALF_SIGNED_IN_LIFETIME),
            Self::SignedIn(state) => state.since.plus(session_max),
        }
    }
}
