//! What the model consists of: a database with a standby, nodes that hold leases, and those who change keys.
//!
//! Time is counted in ticks, and only what is left of a lease or of a wait is kept, so that the number of states is
//! finite. Nothing is taken to happen in time: a message, a node or a changer may be late for ever.

/// The ticks that a lease lasts by its node's clock.
pub const LEASE: u8 = 2;
/// The ticks by which a wait is longer than a lease: as many as the nodes' clocks are assumed to lose in all.
pub const MARGIN: u8 = 1;

/// A change to a key. The number of changes in a history is its number, so a mark is all there is to keep.
pub type Mark = u8;
/// A registration of a node: the node, and which of its registrations it is.
pub type Id = (usize, u8);

/// The database: what a failover may lose a part of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Database {
    /// The changes made, each with its mark.
    pub history: Vec<Mark>,
    /// The registered nodes.
    pub rows: Vec<Row>,
    /// The incarnation in which the registrations are known to be complete.
    pub settled: u8,
}

/// A node's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub id: Id,
    pub renewals: u8,
    /// The last change that the node has said it has taken in, and its number.
    pub seen: (usize, Option<Mark>),
}

/// A node: it answers from memory while it holds a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// The registration that it believes to have.
    pub id: Option<Id>,
    pub registrations: u8,
    /// The changes that it has taken in.
    pub memory: Vec<Mark>,
    /// What is left of its lease, by its own clock.
    pub lease: u8,
    pub renewal: Option<Renewal>,
}

/// A renewal under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Renewal {
    /// The ticks since it was sent, by the node's clock.
    pub age: u8,
    pub stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// On its way to the database.
    Sent,
    /// The database has found the row, and answers with the latest change; or it has found none.
    Answered(Option<(usize, Option<Mark>)>),
    /// The node loads what has changed.
    TakingIn,
}

/// A process that makes changes, or one that finishes the wait for one that has died: the steps are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Changer {
    #[default]
    Idle,
    /// The change is committed.
    Committed(Mark),
    /// The first list of the nodes that are behind has been read.
    Waiting(Mark, FirstList),
    /// The wait was long enough; the nodes that did not say anything are struck off.
    StrikingOff(FirstList),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FirstList {
    pub behind: Vec<(Id, u8)>,
    pub settled: bool,
    pub incarnation: u8,
    /// The ticks still to wait.
    pub left: u8,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub primary: Database,
    /// What a standby has received.
    pub standby: Option<Database>,
    /// Rises when the standby is promoted.
    pub incarnation: u8,
    pub nodes: Vec<Node>,
    /// The ticks that the nodes' clocks have lost.
    pub lost: u8,
    pub changers: Vec<Changer>,
    /// The marks drawn so far.
    pub drawn: Mark,
    /// The changes that were acknowledged.
    pub acknowledged: Vec<Mark>,
}

impl Database {
    /// The latest change and its number.
    pub(crate) fn latest(&self) -> (usize, Option<Mark>) {
        (self.history.len(), self.history.last().copied())
    }

    /// Whether the row says that this change has been taken in.
    pub(crate) fn has_seen(&self, row: &Row, mark: Mark) -> bool {
        let (seen, seen_mark) = row.seen;
        let number = self.history.iter().position(|made| *made == mark).map_or(usize::MAX, |at| at + 1);
        let follows = seen == 0 || self.history.get(seen - 1).copied() == seen_mark;
        seen >= number && follows
    }

    pub(crate) fn row(&mut self, id: Option<Id>) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| Some(row.id) == id)
    }
}

impl Node {
    pub(crate) fn seen(&self) -> (usize, Option<Mark>) {
        (self.memory.len(), self.memory.last().copied())
    }
}
