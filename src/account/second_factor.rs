//! Checking and spending a second factor.

use super::open_totp_seed;
use crate::app::App;
use crate::db::Tx;
use crate::db::accounts::{self, AccountRow};
use crate::secret::recovery;
use crate::secret::totp::{self, Code};
use crate::throttle::{self, Settled, Subject};
use crate::types::clock::Timestamp;
use crate::types::error::Error;

/// The proof for the second step of a sign-in, as typed.
pub enum SecondFactor<'a> {
    /// A code from the authenticator.
    Totp(&'a str),
    /// A recovery code.
    Recovery(&'a str),
}

/// Checks and spends a second factor under the account's code throttle.
pub(super) async fn spend(
    app: &App,
    tx: &mut Tx,
    account: &AccountRow,
    factor: &SecondFactor<'_>,
) -> Result<Settled, Error> {
    let now = app.clock.now();
    let subject = Subject::code(account.uin);
    // This comes first, so that an attempt that is refused anyway does not spend a correct code.
    if throttle::is_blocked_in(tx, &subject, now).await? {
        return Ok(Settled::Waiting);
    }
    let right = match factor {
        SecondFactor::Totp(typed) => {
            let seed = open_totp_seed(app, account)?;
            match Code::parse(typed).and_then(|code| seed?.matching_step(&code, now)) {
                Some(step) if step == account.totp_spent_step => return Err(spent(step, now)),
                Some(step) => accounts::spend_totp_step(tx, account.uin, step).await?,
                None => false,
            }
        }
        SecondFactor::Recovery(typed) => match recovery::digest(typed) {
            Some(digest) => accounts::spend_recovery_code(tx, account.uin, &digest, now).await?,
            None => false,
        },
    };
    throttle::settle(tx, &subject, right, now).await
}

/// The refusal of a code that has just been used. Its owner cannot know that a code works only once, so the error says
/// when the next one comes.
fn spent(step: i64, now: Timestamp) -> Error {
    Error::CodeSpent { wait: totp::shown_at(step + 1).since(now) }
}
