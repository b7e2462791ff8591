//! The proof of whose operation it is.

use std::net::IpAddr;

use crate::check::checker::Signed;
use crate::types::event::{Actor, Origin};
use crate::types::id::{RequestId, Uin};

/// Whoever acts for an account, and from where: its owner in a live session, a program that has signed with its key, or the
/// operator. What works on an account takes this and not the account's number, which anybody can name.
#[derive(Clone, Debug)]
pub struct Owner {
    uin: Uin,
    origin: Origin,
}

impl Owner {
    /// The owner, in a session that has just been looked up.
    pub(super) fn in_session(uin: Uin, origin: &Origin) -> Self {
        Self { uin, origin: origin.as_actor(Actor::Account) }
    }

    /// The program that has signed a request, sent from `address`.
    pub fn by_signature(signed: &Signed, address: IpAddr, request_id: RequestId) -> Self {
        let actor = Actor::Key(signed.secret_id().clone());
        Self { uin: signed.uin(), origin: Origin::of_request(actor, address, request_id) }
    }

    /// The operator at the command line, who may act for any account.
    pub fn by_operator(uin: Uin) -> Self {
        Self { uin, origin: Origin::operator() }
    }

    /// The account.
    pub fn uin(&self) -> Uin {
        self.uin
    }

    /// For the record of operations.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}
