//! Runs the model of leases, `tests/lease_model`.

use lease_model::{Bounds, MARGIN, Mistake, check};

/// One node, one change, and a database that never goes back.
const SMALL: Bounds =
    Bounds { nodes: 1, changes: 1, changers: 1, registrations: 1, renewals: 2, promotions: 0, lost_ticks: MARGIN };
/// The database goes back once.
const BACK: Bounds = Bounds { promotions: 1, changes: 2, ..SMALL };

/// In all states there are.
#[test]
fn no_answer_lacks_an_acknowledged_change() {
    for bounds in [
        Bounds { nodes: 2, renewals: 1, ..SMALL },
        Bounds { changes: 2, changers: 2, registrations: 2, renewals: 1, ..SMALL },
        Bounds { registrations: 2, renewals: 1, ..BACK },
        Bounds { changers: 2, renewals: 1, ..BACK },
    ] {
        let found = check(bounds, None);
        println!("{} states within {bounds:?}", found.states);
        assert!(found.faults.is_empty(), "{bounds:?}: {:?}", found.faults);
    }
}

#[test]
fn each_mistake_is_noticed() {
    for (mistake, bounds) in [
        (Mistake::CountedFromAnswer, SMALL),
        (Mistake::NoMargin, SMALL),
        (Mistake::ExtendedBeforeTakingIn, SMALL),
        (Mistake::TrustedAfterPromotion, BACK),
        (Mistake::HistoryNotCompared, BACK),
        (Mistake::StruckOffThoughRenewed, Bounds { changes: 2, ..SMALL }),
        (Mistake::StruckOffByALaterList, Bounds { changes: 2, ..SMALL }),
        (Mistake::StruckOffAcrossPromotion, Bounds { changers: 2, renewals: 1, ..BACK }),
    ] {
        let found = check(bounds, Some(mistake));
        println!("{mistake:?}: {:?}", found.faults);
        assert!(!found.faults.is_empty(), "{mistake:?} is not noticed");
    }
}

/// Clocks that differ by more than is assumed, such as that of a virtual machine which stands still while it is paused.
#[test]
fn the_assumption_about_clocks_is_needed() {
    let found = check(Bounds { lost_ticks: MARGIN + 1, ..SMALL }, None);
    assert!(!found.faults.is_empty());
}
