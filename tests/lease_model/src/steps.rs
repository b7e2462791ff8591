//! What may happen next, and what it does.

use crate::world::{Changer, FirstList, LEASE, MARGIN, Node, Renewal, Row, Stage, World};

/// A mistake that somebody might make. The model must find each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// A lease runs from the answer to its renewal.
    CountedFromAnswer,
    /// The wait is no longer than a lease.
    NoMargin,
    /// A lease counts before the changed rows are taken in.
    ExtendedBeforeTakingIn,
    /// The registrations are trusted after a promotion that may have lost one.
    TrustedAfterPromotion,
    /// A node compares only the numbers of changes.
    HistoryNotCompared,
    /// A node is struck off although it has renewed its lease.
    StruckOffThoughRenewed,
    /// A node is struck off by its renewals as they were read after the wait had begun.
    StruckOffByALaterList,
    /// A node is struck off by what was read in another incarnation of the database.
    StruckOffAcrossPromotion,
}

/// One step of one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Time passes. The clock of one node may fail to notice.
    Tick(Option<usize>),
    Register(usize),
    SendRenewal(usize),
    /// The database runs the renewal.
    RunRenewal(usize),
    ReceiveAnswer(usize),
    TakeIn(usize),
    SaySeen(usize),
    GiveBack(usize),
    Crash(usize),
    Commit(usize),
    /// Somebody takes over the wait for the latest change.
    TakeOver(usize),
    ListFirst(usize),
    ListAgain(usize),
    EndWait(usize),
    StrikeOff(usize),
    /// The standby receives everything so far.
    Replicate,
    /// The standby is promoted.
    Promote,
}

/// How far the model goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub nodes: usize,
    pub changes: u8,
    pub changers: usize,
    pub registrations: u8,
    pub renewals: u8,
    pub promotions: u8,
    /// The ticks that the clocks of all nodes may lose. More than the margin is more than what is assumed of clocks.
    pub lost_ticks: u8,
}

/// The next state, or `None` if nothing changes.
pub fn after(world: &World, step: Step, mistake: Option<Mistake>) -> Option<World> {
    let mut next = world.clone();
    match step {
        Step::Tick(slow) => tick(&mut next, slow),
        Step::Commit(c) => {
            next.drawn += 1;
            next.primary.history.push(next.drawn);
            next.changers[c] = Changer::Committed(next.drawn);
        }
        Step::TakeOver(c) => next.changers[c] = Changer::Committed(*next.primary.history.last()?),
        Step::ListFirst(c) | Step::ListAgain(c) | Step::EndWait(c) | Step::StrikeOff(c) => {
            change(&mut next, c, step, mistake);
        }
        Step::Replicate => next.standby = Some(next.primary.clone()),
        Step::Promote => {
            next.primary = next.standby.take()?;
            next.incarnation += 1;
            // An answer on its way may still arrive; everything else ends with the connection.
            for node in &mut next.nodes {
                if node.renewal.as_ref().is_some_and(|renewal| !matches!(renewal.stage, Stage::Answered(_))) {
                    node.renewal = None;
                }
            }
        }
        Step::Register(n) | Step::SendRenewal(n) | Step::RunRenewal(n) => {
            renew(&mut next, n, step);
        }
        Step::ReceiveAnswer(n) => receive(&mut next, n, mistake),
        Step::TakeIn(n) | Step::SaySeen(n) | Step::GiveBack(n) | Step::Crash(n) => keep_up(&mut next, n, step, mistake),
    }
    (next != *world).then_some(next)
}

fn tick(world: &mut World, slow: Option<usize>) {
    for (n, node) in world.nodes.iter_mut().enumerate() {
        if slow == Some(n) {
            world.lost += 1;
            continue;
        }
        node.lease = node.lease.saturating_sub(1);
        if let Some(renewal) = &mut node.renewal {
            renewal.age = (renewal.age + 1).min(LEASE);
        }
    }
    for changer in &mut world.changers {
        if let Changer::Waiting(_, list) = changer {
            list.left = list.left.saturating_sub(1);
        }
    }
}

fn renew(world: &mut World, n: usize, step: Step) {
    let latest = world.primary.latest();
    let node = &mut world.nodes[n];
    match step {
        // The row is committed before the first renewal is sent. Having no lease, the node lacks nothing.
        Step::Register(_) => {
            node.registrations += 1;
            node.id = Some((n, node.registrations));
            world.primary.rows.push(Row { id: (n, node.registrations), renewals: 0, seen: latest });
        }
        // If one is under way, its connection has broken.
        Step::SendRenewal(_) => node.renewal = Some(Renewal { age: 0, stage: Stage::Sent }),
        _ => {
            let seen = node.seen();
            let found = world.primary.row(node.id).map(|row| {
                row.renewals += 1;
                row.seen = seen;
                latest
            });
            if let Some(renewal) = &mut node.renewal {
                renewal.stage = Stage::Answered(found);
            }
        }
    }
}

fn receive(world: &mut World, n: usize, mistake: Option<Mistake>) {
    let node = &mut world.nodes[n];
    let Some(Renewal { age, stage: Stage::Answered(answer) }) = node.renewal.take() else { return };
    let Some((number, mark)) = answer else {
        node.id = None;
        return;
    };
    let known = match mistake {
        Some(Mistake::HistoryNotCompared) => node.memory.len() >= number,
        _ => node.seen() == (number, mark),
    };
    if known || mistake == Some(Mistake::ExtendedBeforeTakingIn) {
        extend(node, age, mistake);
    }
    if !known {
        node.renewal = Some(Renewal { age, stage: Stage::TakingIn });
    }
}

fn extend(node: &mut Node, age: u8, mistake: Option<Mistake>) {
    let passed = if mistake == Some(Mistake::CountedFromAnswer) { 0 } else { age };
    node.lease = node.lease.max(LEASE - passed);
}

fn keep_up(world: &mut World, n: usize, step: Step, mistake: Option<Mistake>) {
    let node = &mut world.nodes[n];
    match step {
        Step::TakeIn(_) => {
            let Some(renewal) = node.renewal.take() else { return };
            if mistake == Some(Mistake::HistoryNotCompared) {
                node.memory.extend(world.primary.history.iter().skip(node.memory.len()));
            } else {
                node.memory.clone_from(&world.primary.history);
            }
            extend(node, renewal.age, mistake);
        }
        Step::SaySeen(_) => {
            let seen = node.seen();
            if let Some(row) = world.primary.row(node.id) {
                row.seen = seen;
            }
        }
        Step::GiveBack(_) => {
            world.primary.rows.retain(|row| Some(row.id) != node.id);
            *node = Node { registrations: node.registrations, ..Node::default() };
        }
        // The row stays.
        _ => *node = Node { registrations: node.registrations, ..Node::default() },
    }
}

fn change(world: &mut World, c: usize, step: Step, mistake: Option<Mistake>) {
    let incarnation = world.incarnation;
    let settled = world.primary.settled == incarnation || mistake == Some(Mistake::TrustedAfterPromotion);
    let (mark, list) = match std::mem::take(&mut world.changers[c]) {
        Changer::Committed(mark) => (mark, None),
        Changer::Waiting(mark, list) => (mark, Some(list)),
        Changer::StrikingOff(list) => return strike_off(world, &list, mistake),
        Changer::Idle => return,
    };
    // The database has lost the change: whoever made it is told so.
    if !world.primary.history.contains(&mark) {
        return;
    }
    let behind = world.primary.rows.iter().filter(|row| !world.primary.has_seen(row, mark));
    let behind: Vec<_> = behind.map(|row| (row.id, row.renewals)).collect();
    let done = settled && behind.is_empty();
    let over = step == Step::EndWait(c);
    if done || over {
        world.acknowledged.push(mark);
        world.acknowledged.sort_unstable();
        world.acknowledged.dedup();
    }
    let wait = if mistake == Some(Mistake::NoMargin) { LEASE } else { LEASE + MARGIN };
    world.changers[c] = match list {
        Some(list) if over => Changer::StrikingOff(list),
        _ if done => Changer::Idle,
        Some(mut list) => {
            if mistake == Some(Mistake::StruckOffByALaterList) {
                list.behind = behind;
            }
            Changer::Waiting(mark, list)
        }
        None => Changer::Waiting(mark, FirstList { behind, settled, incarnation, left: wait }),
    };
}

fn strike_off(world: &mut World, list: &FirstList, mistake: Option<Mistake>) {
    if list.incarnation != world.incarnation && mistake != Some(Mistake::StruckOffAcrossPromotion) {
        return;
    }
    let even_if_renewed = mistake == Some(Mistake::StruckOffThoughRenewed);
    let is_struck = |row: &Row| {
        list.behind.iter().any(|(id, renewals)| *id == row.id && (even_if_renewed || *renewals == row.renewals))
    };
    world.primary.rows.retain(|row| !is_struck(row));
    if !list.settled {
        world.primary.settled = list.incarnation;
    }
}

/// The steps that are possible.
pub fn possible(world: &World, bounds: &Bounds, steps: &mut Vec<Step>) {
    steps.push(Step::Tick(None));
    for n in 0..world.nodes.len() {
        of_node(world, n, bounds, steps);
    }
    for (c, changer) in world.changers.iter().enumerate() {
        match changer {
            Changer::Idle => {
                if world.drawn < bounds.changes {
                    steps.push(Step::Commit(c));
                }
                steps.push(Step::TakeOver(c));
            }
            Changer::Committed(_) => steps.push(Step::ListFirst(c)),
            Changer::Waiting(_, list) if list.left == 0 => steps.push(Step::EndWait(c)),
            Changer::Waiting(..) => steps.push(Step::ListAgain(c)),
            Changer::StrikingOff(_) => steps.push(Step::StrikeOff(c)),
        }
    }
    if world.incarnation < bounds.promotions {
        steps.push(if world.standby.is_none() { Step::Replicate } else { Step::Promote });
    }
}

fn of_node(world: &World, n: usize, bounds: &Bounds, steps: &mut Vec<Step>) {
    let node = &world.nodes[n];
    if world.lost < bounds.lost_ticks && (node.lease > 0 || node.renewal.is_some()) {
        steps.push(Step::Tick(Some(n)));
    }
    let Some(id) = node.id else {
        if node.registrations < bounds.registrations {
            steps.push(Step::Register(n));
        }
        return;
    };
    let row = world.primary.rows.iter().find(|row| row.id == id);
    if row.is_none_or(|row| row.renewals < bounds.renewals) {
        steps.push(Step::SendRenewal(n));
    }
    match node.renewal.as_ref().map(|renewal| &renewal.stage) {
        None => {}
        Some(Stage::Sent) => steps.push(Step::RunRenewal(n)),
        Some(Stage::Answered(_)) => steps.push(Step::ReceiveAnswer(n)),
        Some(Stage::TakingIn) => steps.push(Step::TakeIn(n)),
    }
    steps.extend([Step::SaySeen(n), Step::Crash(n)]);
    if node.renewal.is_none() {
        steps.push(Step::GiveBack(n));
    }
}
