//! Makes a plan that finds something smaller, as long as it still does.

use crate::plan::Plan;

/// How many runs it may take.
const RUNS_MAX: usize = 120;

/// Leaves out events and weather, many at a time and then one by one. `fails` runs a plan; one that fails only now and then
/// shrinks less.
pub(crate) fn shrink(mut plan: Plan, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut runs = 0;
    let mut chunk = plan.arrivals.len().max(1);
    while chunk > 0 && runs < RUNS_MAX {
        let mut at = 0;
        while at < plan.arrivals.len() && runs < RUNS_MAX {
            let mut less = plan.clone();
            less.arrivals.drain(at..(at + chunk).min(plan.arrivals.len()));
            runs += 1;
            if fails(&less) { plan = less } else { at += chunk }
        }
        chunk /= 2;
    }
    for at in (0..plan.weather.len()).rev() {
        let mut less = plan.clone();
        less.weather.remove(at);
        if fails(&less) {
            plan = less;
        }
    }
    plan
}

#[test]
fn what_is_to_blame_is_left() {
    let plan = Plan::of_seed(7);
    let count = plan.arrivals.len();
    let guilty = plan.arrivals[count / 2].at;
    let small = shrink(plan, |plan| plan.arrivals.iter().any(|arrival| arrival.at == guilty));
    assert!(small.weather.is_empty());
    assert!(small.arrivals.len() == 1 && small.arrivals[0].at == guilty);
}
