//! Throttling: failed attempts delay the next ones.
//!
//! After a few wrong passwords there is a growing delay, but never a lock that somebody must lift. Wrong passwords are
//! counted for the account as used from unknown browsers, for each browser that has signed in to it before (so that an
//! anonymous client's attempts do not hold up the owner), and for each address. Wrong codes, which require the right
//! password first, are different: after ten there is a wait that only time or `latchkey account unlock` ends. Counters
//! are rows in the database, so they hold across processes and restarts.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::db::throttle::{self as db, ThrottleRow};
use crate::db::{Db, Tx};
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::Uin;
use crate::types::stored_names::stored_names;
use crate::types::subscriber::Subscriber;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

stored_names! {
    /// The kind of failures that a counter counts.
    Scope {
        /// Wrong passwords for a name.
        Account = "password/account",
        /// Wrong passwords from a known browser.
        Device = "password/device",
        /// Wrong passwords from an address. Anonymous clients with any number of addresses can create any number of
        /// these rows.
        Address = "password/address",
        /// Wrong passwords at identity verification.
        StepUp = "password/verification",
        /// Uses of passkeys that failed.
        Passkey = "passkey",
        /// Wrong codes. These are the only counters that are kept for a month.
        Code = "code",
    }
}

/// The most addresses that are counted at a time. Beyond that, the counters that have gone longest without a change are
/// deleted.
const MOST_ADDRESSES: i64 = 100_000;

struct Policy {
    /// The number of failures without a delay.
    free: i64,
    /// The delay after the next failure; it doubles from there.
    first: Duration,
    longest: Duration,
    /// A counter that has not changed for this long starts again.
    forget: Duration,
}

/// The subject of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    scope: Scope,
    name: String,
}

/// The SHA-256 in hexadecimal.
fn hashed(name: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(name.as_bytes()))
}

impl Subject {
    /// Wrong passwords for the name of an account, from browsers that are not known.
    pub fn account(canonical_name: &str) -> Self {
        // Hashed, so that the row has one size and does not contain what somebody typed as a name.
        Self { scope: Scope::Account, name: hashed(canonical_name) }
    }

    /// Wrong passwords for a name that no account has. They cost as much as those for the name of an account. Names can
    /// be made up without limit, so many of them share a counter.
    pub fn nobody(canonical_name: &str) -> Self {
        let shared = &hashed(canonical_name)[..4];
        Self { scope: Scope::Account, name: format!("nobody/{shared}") }
    }

    /// Wrong passwords from a browser that has signed in to the account before.
    pub fn device(token: &TokenDigest) -> Self {
        Self { scope: Scope::Device, name: token.to_hex() }
    }

    /// Wrong passwords from an address, or, for IPv6, from its /64.
    pub fn address(address: IpAddr) -> Self {
        Self { scope: Scope::Address, name: Subscriber::from(address).to_string() }
    }

    /// Wrong passwords for the identity verification of a signed-in session.
    pub fn verification(uin: Uin) -> Self {
        Self { scope: Scope::StepUp, name: uin.to_string() }
    }

    /// Failed uses of the account's passkeys at sign-in.
    pub fn passkey(uin: Uin) -> Self {
        Self { scope: Scope::Passkey, name: uin.to_string() }
    }

    /// Wrong codes after a right password.
    pub fn code(uin: Uin) -> Self {
        Self { scope: Scope::Code, name: uin.to_string() }
    }

    fn policy(&self) -> Policy {
        let second = Duration::from_secs(1);
        match self.scope {
            Scope::Code => Policy { free: 9, first: HOUR, longest: DAY, forget: 30 * DAY },
            Scope::Address => Policy { free: 19, first: second, longest: HOUR / 4, forget: DAY },
            // Anonymous clients can cause these delays, so they stay short. One guess per minute gets nowhere.
            Scope::Account | Scope::Passkey => Policy { free: 4, first: second, longest: HOUR / 60, forget: DAY },
            Scope::Device | Scope::StepUp => Policy { free: 4, first: second, longest: HOUR / 4, forget: DAY },
        }
    }

    fn delay_after(&self, failures: i64) -> Duration {
        let Policy { free, first, longest, .. } = self.policy();
        let Ok(doublings) = u32::try_from((failures - free - 1).min(20)) else { return Duration::ZERO };
        first.saturating_mul(2_u32.saturating_pow(doublings)).min(longest)
    }
}

/// The time that the subject has to wait from `now` on, if it has to.
pub async fn wait(database: &Db, subject: &Subject, now: Timestamp) -> Result<Option<Duration>, Error> {
    let until = db::blocked_until(database, subject.scope.as_str(), &subject.name).await?;
    Ok(until.filter(|until| *until > now).map(|until| until.since(now)))
}

/// Returns `true` if the subject has to wait at `now`.
pub async fn is_blocked_in(tx: &mut Tx, subject: &Subject, now: Timestamp) -> Result<bool, Error> {
    let row = db::get(tx, subject.scope.as_str(), &subject.name).await?;
    Ok(row.is_some_and(|row| row.blocked_until > now))
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The attempt was right.
    Accepted,
    /// The attempt was wrong, and has been counted.
    Counted,
    /// The attempt was made during a wait. Right or wrong, it neither counts nor lengthens the wait.
    Waiting,
}

/// Counts one attempt, which was `right` or not, and returns whether it is accepted.
pub async fn settle(tx: &mut Tx, subject: &Subject, right: bool, now: Timestamp) -> Result<Settled, Error> {
    // Each lost race means that another attempt was counted, so only a flood exceeds these rounds.
    for _ in 0..16 {
        let before = db::get(tx, subject.scope.as_str(), &subject.name).await?;
        if before.is_some_and(|row| row.blocked_until > now) {
            return Ok(Settled::Waiting);
        }
        if right {
            if before.is_some() {
                db::clear(tx, subject.scope.as_str(), &subject.name).await?;
            }
            return Ok(Settled::Accepted);
        }
        let counted =
            before.filter(|row| row.updated_at.plus(subject.policy().forget) > now).map_or(0, |row| row.failures);
        let failures = counted + 1;
        let after = ThrottleRow { failures, blocked_until: now.plus(subject.delay_after(failures)), updated_at: now };
        if db::compare_and_set(tx, subject.scope.as_str(), &subject.name, before, after).await? {
            return Ok(Settled::Counted);
        }
    }
    Err(Error::Busy)
}

/// Clears the failures of a subject.
pub async fn clear(tx: &mut Tx, subject: &Subject) -> Result<(), Error> {
    Ok(db::clear(tx, subject.scope.as_str(), &subject.name).await?)
}

/// Deletes counters that would start again. Most of them come from what anonymous clients have typed, so they are kept
/// no longer than they count.
pub async fn purge(database: &Db, now: Timestamp) -> Result<(), Error> {
    db::purge(database, now.minus(DAY), Scope::Code.as_str(), now.minus(30 * DAY), now).await?;
    Ok(db::trim(database, Scope::Address.as_str(), MOST_ADDRESSES).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stop_growing() {
        let account = Subject::verification(Uin(1));
        let delays: Vec<u64> = (1..=16).map(|failures| account.delay_after(failures).as_secs()).collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        let code = Subject::code(Uin(1));
        assert_eq!(code.delay_after(9), Duration::ZERO);
        assert_eq!(code.delay_after(10), HOUR);
        assert_eq!(code.delay_after(i64::MAX), 24 * HOUR);
    }
}
