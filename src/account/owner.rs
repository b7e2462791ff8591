//! The proof of the account on whose behalf an operation is performed.

use std::net::IpAddr;

use crate::check::checker::Signed;
use crate::types::event::{Actor, Origin};
use crate::types::id::{RequestId, Uin};

/// The party that acts for an account, and where it acts from: the account's owner in a live session, a program that
/// has signed its request with the account's key, or the operator. Functions that operate on an account take an `Owner`
/// rather than the account's number, which anybody can name.
#[derive(Clone, Debug)]
pub struct Owner {
    uin: Uin,
    origin: Origin,
}

impl Owner {
    /// The account's owner, in a session that has just been looked up.
    pub(super) fn in_session(uin: Uin, origin: &Origin) -> Self {
        Self { uin, origin: origin.as_actor(Actor::Account) }
    }

    /// The program that has signed a request, which was sent from `address`.
    pub fn by_signature(signed: &Signed, address: IpAddr, request_id: RequestId) -> Self {
        let actor = Actor::Key(signed.secret_id().clone());
        Self { uin: signed.uin(), origin: Origin::of_request(actor, address, request_id) }
    }

    /// The operator at the command line, who may act for any account.
    pub fn by_operator(uin: Uin) -> Self {
        Self { uin, origin: Origin::operator() }
    }

    /// The account's number.
    pub fn uin(&self) -> Uin {
        self.uin
    }

    /// The origin of the operation, for the audit log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}
