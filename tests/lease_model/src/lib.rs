//! A model of leases: all that nodes, changers, clocks and a failing database may do, in every order, for small numbers.
//!
//! The promise: from the moment at which a change is acknowledged, no node answers from a memory that lacks it. The
//! design is that of `check::registry`; docs/adr/0018-leases.md gives the reasons. Each
//! mistake of [`Mistake`] breaks the promise, and the model must notice.

mod steps;
mod world;

use stateright::{Checker, Expectation, Model, Property};

pub use self::steps::{Bounds, Mistake};
pub use self::world::MARGIN;

use self::steps::{Step, after, possible};
use self::world::{Changer, Database, Node, World};

struct Leases {
    bounds: Bounds,
    mistake: Option<Mistake>,
}

impl Model for Leases {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            primary: Database::default(),
            standby: None,
            incarnation: 0,
            nodes: vec![Node::default(); self.bounds.nodes],
            lost: 0,
            changers: vec![Changer::Idle; self.bounds.changers],
            drawn: 0,
            acknowledged: Vec::new(),
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        possible(world, &self.bounds, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        after(world, step, self.mistake)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::<Self>::always(PROMISE, keeps_the_promise)];
        if self.mistake.is_none() {
            properties.extend([
                Property::always("nobody waits in vain", nobody_waits_in_vain),
                Property::sometimes("an acknowledgement before the wait is over", |_, world: &World| {
                    world.nodes.iter().any(|node| node.lease > 0) && world.acknowledged == [1] && world.drawn == 1
                }),
            ]);
            if self.bounds.registrations > 1 {
                properties.push(Property::sometimes("a node struck off answers again", |_, world: &World| {
                    world.nodes.iter().any(|node| node.registrations > 1 && node.lease > 0)
                }));
            }
            if self.bounds.promotions > 0 {
                properties.push(Property::sometimes("settled again after a promotion", |_, world: &World| {
                    world.incarnation > 0 && world.primary.settled == world.incarnation
                }));
            }
        }
        properties
    }
}

const PROMISE: &str = "no answer lacks an acknowledged change";

/// What a failover has lost is no part of the promise.
fn keeps_the_promise(_: &Leases, world: &World) -> bool {
    let promised = || world.acknowledged.iter().filter(|mark| world.primary.history.contains(mark));
    let answering = world.nodes.iter().filter(|node| node.lease > 0);
    answering.into_iter().all(|node| promised().all(|mark| node.memory.contains(mark)))
}

/// A changer's wait ends by the passing of time alone, and its other steps need nobody.
fn nobody_waits_in_vain(model: &Leases, world: &World) -> bool {
    let mut steps = Vec::new();
    model.actions(world, &mut steps);
    world.changers.iter().enumerate().all(|(c, changer)| match changer {
        Changer::Idle => true,
        Changer::Committed(_) => steps.contains(&Step::ListFirst(c)),
        Changer::Waiting(_, list) if list.left > 0 => {
            let ticked = after(world, Step::Tick(None), model.mistake);
            ticked.is_some_and(|later| matches!(&later.changers[c], Changer::Waiting(_, less) if less.left < list.left))
        }
        Changer::Waiting(..) => steps.contains(&Step::EndWait(c)),
        Changer::StrikingOff(_) => steps.contains(&Step::StrikeOff(c)),
    })
}

/// What the model has found.
#[derive(Debug)]
pub struct Found {
    /// The number of different states.
    pub states: usize,
    /// The properties that do not hold, with the steps that lead there; and those that never come true.
    pub faults: Vec<String>,
}

/// Goes through all states within `bounds`, or until the promise is broken.
pub fn check(bounds: Bounds, mistake: Option<Mistake>) -> Found {
    let checker = Leases { bounds, mistake }.checker().threads(2).spawn_bfs().join();
    let mut faults = Vec::new();
    for property in checker.model().properties() {
        let steps = checker.discovery(property.name).map(|path| path.into_actions());
        match (property.expectation, steps) {
            (Expectation::Sometimes, None) => faults.push(format!("never: {}", property.name)),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (_, Some(steps)) => faults.push(format!("not: {}, after {steps:?}", property.name)),
        }
    }
    Found { states: checker.unique_state_count(), faults }
}
